import type { LinkProps } from "@tanstack/react-router";
import type { DeedOut } from "@/api/generated";

type Place = Pick<LinkProps, "to" | "search">;

/** By how a thing's id begins: where it is to be seen. */
const PLACES: Record<string, (id: string) => Place> = {
  cht: (id) => ({ to: `/inbox/${id}` }),
  cnt: (contact) => ({ to: "/contacts", search: { contact } }),
  dev: (device) => ({ to: "/devices", search: { device } }),
  led: (lead) => ({ to: "/board", search: { lead } }),
  pip: () => ({ to: "/board" }),
  usr: () => ({ to: "/settings/people" }),
  tem: () => ({ to: "/settings/people" }),
  key: () => ({ to: "/settings/keys" }),
  acc: () => ({ to: "/settings/account" }),
  whk: (id) => ({ to: `/settings/webhooks/${id}` }),
};

/** The page of what a line is about; none where it is gone, has no page, or is nothing but somebody's coming and going. */
export function placeOf({ kind, target, gone }: Pick<DeedOut, "kind" | "target" | "gone">): Place | undefined {
  if (!target || gone || kind.startsWith("session.")) return undefined;
  return PLACES[target.split("_", 1)[0] ?? ""]?.(target);
}
