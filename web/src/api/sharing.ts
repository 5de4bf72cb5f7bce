import { replaceEqualDeep } from "@tanstack/react-query";

type Item = { id: string };
type Listed = { items: Item[] };
type Things = Record<string, unknown>;

const isListed = (value: unknown): value is Listed => {
  const items = (value as Partial<Listed> | null | undefined)?.items;
  return Array.isArray(items) && items.every((item) => typeof item?.id === "string");
};

/** The pages of a list, as far as it is one of things that have ids. */
function pagesOf(value: unknown): Listed[] | undefined {
  if (isListed(value)) return [value];
  const pages = (value as { pages?: unknown } | null | undefined)?.pages;
  return Array.isArray(pages) && pages.every(isListed) ? pages : undefined;
}

/** *before*, where all of *now* is in it and nothing more. */
function same<T extends object>(before: T | undefined, now: T): T {
  const keys = Object.keys(now);
  const equal =
    before !== undefined &&
    keys.length === Object.keys(before).length &&
    keys.every((key) => (before as Things)[key] === (now as Things)[key]);
  return equal ? before : now;
}

/**
 * Keeps what has not changed as the very object that it was, so that it is not drawn again. Where things have an id they are
 * known by it: a chat that moves to the top of its list leaves the others as they were, not all of them changed places.
 */
export function shared<T>(before: unknown, now: T): T {
  const old = pagesOf(before);
  const next = pagesOf(now);
  if (!old || !next) return replaceEqualDeep(before, now);
  const known = new Map(old.flatMap((page) => page.items.map((item) => [item.id, item] as const)));
  const pages = next.map((page, at) => {
    const items = page.items.map((item) => {
      const was = known.get(item.id);
      return was && was !== item ? replaceEqualDeep(was, item) : item;
    });
    const there = old[at];
    const kept: Things = { ...page };
    for (const [key, value] of Object.entries(page))
      kept[key] =
        key === "items" ? same(there?.items, items) : replaceEqualDeep((there as Things | undefined)?.[key], value);
    return same(there, kept as Listed);
  });
  if (isListed(now)) return pages[0] as T;
  const held = before as { pages: Listed[]; pageParams?: unknown };
  const told = now as typeof held;
  return same(held, {
    ...told,
    pages: same(held.pages, pages),
    pageParams: replaceEqualDeep(held.pageParams, told.pageParams),
  }) as T;
}
