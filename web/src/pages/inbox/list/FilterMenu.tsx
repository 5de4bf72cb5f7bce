import { Popover } from "@mantine/core";
import { useClickOutside } from "@mantine/hooks";
import { type ComponentProps, useState } from "react";
import { FilterPane } from "./FilterPane";

type Props = { button: HTMLElement | null; opened: boolean; close: () => void } & ComponentProps<typeof FilterPane>;

/** The filters below *button*, where they have no column of their own. */
export function FilterMenu({ button, opened, close, ...filters }: Props) {
  const [dropdown, setDropdown] = useState<HTMLElement | null>(null);
  useClickOutside(
    // What a field of the filters opens is outside of them, and still belongs to them.
    (event) => opened && !(event.target as Element).closest("[role=listbox]") && close(),
    null,
    [button, dropdown],
  );
  return (
    <Popover
      opened={opened}
      // By Escape alone: a dropdown that closes itself hears no key of its own. The button has the focus once the trap has let go of it.
      onDismiss={() => {
        close();
        setTimeout(() => button?.focus());
      }}
      closeOnClickOutside={false}
      position="bottom-end"
      width={270}
      shadow="md"
      trapFocus
    >
      <Popover.Target>
        <span aria-hidden style={{ position: "absolute", inset: 0, pointerEvents: "none" }} />
      </Popover.Target>
      <Popover.Dropdown ref={setDropdown} p={8} mah="80vh" style={{ overflowY: "auto" }}>
        <FilterPane {...filters} />
      </Popover.Dropdown>
    </Popover>
  );
}
