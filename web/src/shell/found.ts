import type { ComboboxParsedItem, ComboboxParsedItemGroup } from "@mantine/core";
import { plain } from "./plain";

type Option = Exclude<ComboboxParsedItem, ComboboxParsedItemGroup>;

/** Of some choices, in groups or not, the first `limit` that have these letters, and how many more have them. */
export function found(options: ComboboxParsedItem[], letters: string, limit: number) {
  const wanted = plain(letters.trim());
  let more = 0;
  let room = limit;
  const take = (some: Option[]) => {
    const fit = some.filter(({ label }) => plain(label).includes(wanted));
    const shown = fit.slice(0, room);
    room -= shown.length;
    more += fit.length - shown.length;
    return shown;
  };
  const shown = options.flatMap((one): ComboboxParsedItem[] => {
    if (!("group" in one)) return take([one]);
    const items = take(one.items);
    return items.length ? [{ ...one, items }] : [];
  });
  return { shown, more };
}
