import type { Device, DeviceState } from "@/api/types";
import { plain } from "@/shell/plain";

/** How a number stands, as far as it is to be found by that: it works, somebody has to do something, or nobody wants it to. */
export const STANDS = ["connected", "attention", "off"] as const;
export type Stand = (typeof STANDS)[number];

const ATTENTION: ReadonlySet<DeviceState> = new Set(["logged_out", "banned", "replaced", "failed"]);

export const standOf = ({ state }: Pick<Device, "state">): Stand =>
  state === "connected" ? "connected" : ATTENTION.has(state) ? "attention" : "off";

/** Those whose name, number or label has *sought* in it, and that stand like that. */
export function narrowed<One extends Pick<Device, "name" | "phone" | "labels" | "state">>(
  devices: readonly One[],
  sought: string,
  stand: Stand | undefined,
): One[] {
  const words = plain(sought.trim());
  const digits = words.replace(/[\s()+-]/g, "");
  const number = /^\d+$/.test(digits) ? digits : undefined;
  return devices.filter(
    (device) =>
      (!stand || standOf(device) === stand) &&
      (plain([device.name, ...(device.labels ?? [])].join("\n")).includes(words) ||
        (number !== undefined && !!device.phone?.includes(number))),
  );
}
