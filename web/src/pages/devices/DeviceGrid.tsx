import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { Device } from "@/api/types";

/** About as high as a card is, before any has been measured. */
const ROW = 196;
const GAP = 16;

type Props = {
  devices: readonly Device[];
  /** What scrolls. */
  viewport: HTMLElement | null;
  card: (device: Device) => ReactNode;
};

/** The cards of the numbers, side by side where there is room; of hundreds only those near the eye are in the page. */
export function DeviceGrid({ devices, viewport, card }: Props) {
  const two = useMediaQuery("(min-width: 48em)", true, { getInitialValueInEffect: false });
  const three = useMediaQuery("(min-width: 75em)", true, { getInitialValueInEffect: false });
  const beside = three ? 3 : two ? 2 : 1;
  const grid = useRef<HTMLDivElement>(null);
  const [above, setAbove] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what stands above changes with what is looked for, and with the room
  useLayoutEffect(() => {
    if (grid.current && viewport)
      setAbove(grid.current.getBoundingClientRect().top - viewport.getBoundingClientRect().top + viewport.scrollTop);
  }, [viewport, devices, beside]);
  const rows = useVirtualizer({
    count: Math.ceil(devices.length / beside),
    getScrollElement: () => viewport,
    estimateSize: () => ROW,
    getItemKey: (index) => devices[index * beside]?.id ?? index,
    gap: GAP,
    overscan: 3,
    scrollMargin: above,
  });
  return (
    <div ref={grid} style={{ position: "relative", height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map((row) => (
        <div
          key={row.key}
          ref={rows.measureElement}
          data-index={row.index}
          style={{
            position: "absolute",
            insetInline: 0,
            top: 0,
            transform: `translateY(${row.start - above}px)`,
            display: "grid",
            gridTemplateColumns: `repeat(${beside}, minmax(0, 1fr))`,
            gap: GAP,
          }}
        >
          {devices.slice(row.index * beside, (row.index + 1) * beside).map((device) => (
            <div key={device.id} style={{ display: "grid" }}>
              {card(device)}
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}
