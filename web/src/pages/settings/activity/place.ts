import type { DeedOut } from "@/api/generated";

type Place = { to: string; search?: Record<string, string> };

/** By how a thing's id begins: where it is to be seen. */
const PLACES = new Map<string, (id: string) => Place>(
  Object.entries({
    cht: (id: string) => ({ to: `/inbox/${id}` }),
    cnt: (contact: string) => ({ to: "/contacts", search: { contact } }),
    dev: (device: string) => ({ to: "/devices", search: { device } }),
    led: (lead: string) => ({ to: "/board", search: { lead } }),
    pip: () => ({ to: "/board" }),
    usr: () => ({ to: "/settings/people" }),
    tem: () => ({ to: "/settings/people" }),
    key: () => ({ to: "/settings/keys" }),
    acc: () => ({ to: "/settings/account" }),
    whk: (id: string) => ({ to: `/settings/webhooks/${id}` }),
  }),
);

/** The page of what a line is about; none where it is gone, has no page, or is nothing but somebody's coming and going. */
export function placeOf({ kind, target, gone }: Pick<DeedOut, "kind" | "target" | "gone">): Place | undefined {
  if (!target || gone || kind.startsWith("session.")) return undefined;
  return PLACES.get(target.split("_", 1)[0] ?? "")?.(target);
}
