import { ColorInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import type { StatePut } from "@/api/generated";
import * as sdk from "@/api/generated";
import { Loaded } from "@/shell/Loaded";
import { Lines } from "./Lines";
import { SWATCHES } from "./TagsPage";

/** The states that a customer goes through. */
export function States() {
  const { t } = useTranslation();
  const states = useQuery({
    queryKey: ["contact-states"],
    queryFn: () => data(sdk.contactsListContactStates(throwing)),
  });
  return (
    <Loaded query={states}>
      {({ items }) => (
        <Lines<StatePut>
          key={JSON.stringify(items)}
          title={t("states.title")}
          subtitle={t("states.subtitle")}
          none={t("states.empty")}
          items={items}
          queryKey="contact-states"
          fresh={() => ({ name: "", color: "#1971c2" })}
          name={({ name }) => name}
          valid={({ name, color }) => name.trim() !== "" && /^#[0-9a-f]{6}$/.test(color ?? "")}
          save={(next) => data(sdk.contactsSetContactStates({ ...throwing, body: { items: next } }))}
        >
          {(state, set) => (
            <>
              <TextInput
                aria-label={t("tags.name")}
                placeholder={t("states.example")}
                value={state.name}
                maxLength={100}
                flex={1}
                miw={100}
                onChange={(event) => set({ name: event.currentTarget.value })}
              />
              <ColorInput
                aria-label={t("tags.color")}
                format="hex"
                w={{ base: 116, sm: 140 }}
                value={state.color ?? ""}
                swatches={SWATCHES}
                onChange={(color) => set({ color: color.toLowerCase() })}
              />
            </>
          )}
        </Lines>
      )}
    </Loaded>
  );
}
