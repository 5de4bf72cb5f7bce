// biome-ignore-all lint/a11y/useSemanticElements: of a hundred thousand rows those on the screen are laid out, which a table element does not do
// biome-ignore-all lint/a11y/useFocusableInteractive: one row of the grid has the focus, its cells have none
import { Avatar, Badge, Checkbox, Group, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconBan } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Contact } from "@/api/contacts";
import { dates } from "@/formats";
import type { Company } from "@/session/company";
import { phoneText } from "@/shell/phone";
import classes from "./ContactsPage.module.css";
import type { Profile } from "./useContacts";

export const COLUMNS = ["phone", "email", "state", "tags", "created"] as const;
export type Column = (typeof COLUMNS)[number];
const WIDTHS: Record<Column, string> = {
  phone: "minmax(140px, 0.8fr)",
  email: "minmax(140px, 1fr)",
  state: "minmax(90px, 0.5fr)",
  tags: "minmax(190px, 1fr)",
  created: "minmax(100px, 0.5fr)",
};
const OWN = "minmax(100px, 0.6fr)";

type Props = {
  items: Contact[];
  shown: readonly string[];
  company: Company;
  profile: Profile;
  picked: ReadonlySet<string>;
  pick: (id: string, range: boolean) => void;
  pickAll: (all: boolean) => void;
  open: (id: string) => void;
  more: (() => void) | undefined;
};

/** Contacts, one a line, however many there are: arrows walk, Enter opens, space chooses. */
export function ContactTable({ items, shown, company, profile, picked, pick, pickAll, open, more }: Props) {
  const { t, i18n } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const columns = phone ? [] : shown.filter((one) => (COLUMNS as readonly string[]).includes(one) || one.includes(":"));
  const height = phone ? 64 : 46;
  const scroller = useRef<HTMLDivElement>(null);
  const [here, setHere] = useState(0);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 10,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a line of another height is measured anew
  useEffect(() => rows.measure(), [rows, height]);
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= items.length - 20) more();
  }, [more, last, items.length]);
  const walk = (event: KeyboardEvent, index: number, id: string) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (event.target !== event.currentTarget) return;
    if (event.key === "Enter") open(id);
    else if (event.key === " ") pick(id, event.shiftKey);
    else if (step) {
      const next = Math.max(0, Math.min(items.length - 1, index + step));
      setHere(next);
      rows.scrollToIndex(next);
      requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus());
    } else return;
    event.preventDefault();
  };
  const date = dates(i18n.language, { dateStyle: "medium" });
  const state = new Map(profile.states.map((one) => [one.id, one]));
  const field = new Map(profile.fields.map((one) => [`field:${one.key}`, one]));
  const cell = (contact: Contact, column: string) => {
    switch (column) {
      case "phone":
        return contact.phone ? phoneText(contact.phone) : "—";
      case "email":
        return contact.email ?? "";
      case "state": {
        const found = state.get(contact.state_id ?? "");
        return found ? <State name={found.name} color={found.color} /> : "";
      }
      case "tags":
        return <Tags ids={contact.tags ?? []} company={company} />;
      case "created":
        return date.format(new Date(contact.created_at));
      default: {
        const value = contact.fields?.[column.replace("field:", "")];
        return value === true ? t("contacts.yes") : value === false ? t("contacts.no") : String(value ?? "");
      }
    }
  };
  const title = (column: string) =>
    field.get(column)?.name ?? t(`contacts.column.${column}` as "contacts.column.phone");
  const template = `minmax(160px, 1.4fr) ${columns.map((one) => WIDTHS[one as Column] ?? OWN).join(" ")}`;
  const all = picked.size > 0 && items.every((one) => picked.has(one.id));
  return (
    <div
      role="grid"
      aria-label={t("contacts.title")}
      aria-rowcount={items.length + 1}
      aria-multiselectable
      style={{ ["--columns" as string]: template, display: "contents" }}
    >
      <div role="row" className={`${classes.row} ${classes.titles}`} aria-rowindex={1}>
        <div role="columnheader">
          <Checkbox
            size="xs"
            aria-label={t("contacts.pickAll")}
            checked={all}
            indeterminate={!all && picked.size > 0}
            onChange={() => pickAll(!all)}
          />
        </div>
        <div role="columnheader" className={classes.cell}>
          {t("contacts.column.name")}
        </div>
        {columns.map((column) => (
          <div key={column} role="columnheader" className={classes.cell}>
            {title(column)}
          </div>
        ))}
      </div>
      <div ref={scroller} className={classes.scroller} role="rowgroup">
        <div className={classes.rows} style={{ height: rows.getTotalSize() }} role="presentation">
          {rows.getVirtualItems().map((row) => {
            const contact = items[row.index];
            if (!contact) return null;
            const name = contact.name || (contact.phone ? phoneText(contact.phone) : t("contacts.nobody"));
            return (
              <div
                key={row.key}
                role="row"
                aria-rowindex={row.index + 2}
                aria-selected={picked.has(contact.id)}
                data-index={row.index}
                tabIndex={row.index === Math.min(here, items.length - 1) ? 0 : -1}
                className={`${classes.row} ${classes.line}`}
                style={{ height, transform: `translateY(${row.start}px)` }}
                onClick={() => open(contact.id)}
                onFocus={() => setHere(row.index)}
                onKeyDown={(event) => walk(event, row.index, contact.id)}
              >
                <div role="gridcell">
                  <Checkbox
                    size="xs"
                    tabIndex={-1}
                    aria-label={t("contacts.pick", { name })}
                    checked={picked.has(contact.id)}
                    onClick={(event) => {
                      event.stopPropagation();
                      pick(contact.id, event.shiftKey);
                    }}
                    onChange={() => {}}
                  />
                </div>
                <div role="gridcell" className={classes.cell}>
                  <Group gap={10} wrap="nowrap">
                    <Avatar name={name} color="initials" size={phone ? 38 : 28} radius="xl" aria-hidden />
                    <Stack gap={1} miw={0}>
                      <Text size="sm" fw={500} truncate dir="auto" title={name}>
                        {name}
                        {contact.blocked && (
                          <IconBan
                            size={14}
                            color="var(--mantine-color-red-6)"
                            role="img"
                            aria-label={t("contacts.blocked")}
                            style={{ verticalAlign: -2, marginInlineStart: 6 }}
                          />
                        )}
                      </Text>
                      {phone && (
                        <Group gap={6} wrap="nowrap">
                          <Text size="xs" c="dimmed" truncate>
                            {contact.phone ? phoneText(contact.phone) : t("contacts.noPhone")}
                          </Text>
                          {cell(contact, "state")}
                        </Group>
                      )}
                    </Stack>
                  </Group>
                </div>
                {columns.map((column) => (
                  <div key={column} role="gridcell" className={classes.cell}>
                    <Text component="div" size="sm" truncate dir={column === "email" ? "ltr" : "auto"} lh={1.4}>
                      {cell(contact, column)}
                    </Text>
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

export function State({ name, color }: { name: string; color: string }) {
  return (
    <Badge variant="dot" color={color} tt="none" size="sm" maw="100%">
      {name}
    </Badge>
  );
}

const SHOWN_TAGS = 2;

function Tags({ ids, company }: { ids: readonly string[]; company: Company }) {
  const known = ids.map((id) => company.tag.get(id)).filter((tag) => tag !== undefined);
  return (
    <Group gap={4} wrap="nowrap" style={{ overflow: "hidden" }} title={known.map((tag) => tag.name).join(", ")}>
      {known.slice(0, SHOWN_TAGS).map((tag) => (
        <Badge key={tag.id} variant="dot" color={tag.color} tt="none" size="sm" maw={96} style={{ flex: "none" }}>
          {tag.name}
        </Badge>
      ))}
      {known.length > SHOWN_TAGS && (
        <Text size="xs" c="dimmed">
          +{known.length - SHOWN_TAGS}
        </Text>
      )}
    </Group>
  );
}
