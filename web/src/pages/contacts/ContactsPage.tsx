import {
  ActionIcon,
  Button,
  Center,
  Checkbox,
  Group,
  Menu,
  Select,
  Skeleton,
  Stack,
  Text,
  TextInput,
  ThemeIcon,
  Title,
  Tooltip,
} from "@mantine/core";
import { useDebouncedValue, useLocalStorage } from "@mantine/hooks";
import {
  IconAddressBook,
  IconColumns3,
  IconDownload,
  IconFileImport,
  IconSearch,
  IconUserPlus,
} from "@tabler/icons-react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/contacts";
import { useCompany } from "@/session/company";
import { useMayManage } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { Failure } from "@/shell/Failure";
import { useShortcuts } from "@/shell/shortcuts";
import { Bulk } from "./Bulk";
import { ContactDrawer } from "./ContactDrawer";
import classes from "./ContactsPage.module.css";
import { COLUMNS, ContactTable } from "./ContactTable";
import { ImportWizard } from "./ImportWizard";
import { NewContact } from "./NewContact";
import { useContacts, useProfile } from "./useContacts";

/** Everybody who is known: found, looked at, changed by the hundred, brought in and taken away. */
export function ContactsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const mayManage = useMayManage();
  const company = useCompany();
  const profile = useProfile();
  const { contact: open } = useSearch({ strict: false }) as { contact?: string };
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search.trim(), 250);
  const [state, setState] = useState<string | null>(null);
  const [tag, setTag] = useState<string | null>(null);
  const [blocked, setBlocked] = useState(false);
  const [order, setOrder] = useLocalStorage<"newest" | "name">({
    key: "clarin.contacts.order",
    defaultValue: "newest",
  });
  const [columns, setColumns] = useLocalStorage<string[]>({
    key: "clarin.contacts.columns",
    defaultValue: [...COLUMNS],
  });
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [dialog, setDialog] = useState<"import" | "new" | null>(null);
  const before = useRef<string>(undefined);
  const box = useRef<HTMLInputElement>(null);
  const filter = useMemo<api.ContactFilter>(
    () => ({
      order,
      ...(q && { q }),
      ...(state && { state_id: state }),
      ...(tag && { tag_id: tag }),
      ...(blocked && { blocked }),
    }),
    [order, q, state, tag, blocked],
  );
  const contacts = useContacts(filter);
  const { items, hasNextPage, isFetchingNextPage, fetchNextPage } = contacts;
  const narrowed = Boolean(q || state || tag || blocked);
  const show = useCallback(
    (id: string | undefined) => void navigate({ to: "/contacts", search: id ? { contact: id } : {} }),
    [navigate],
  );
  const pick = (id: string, range: boolean) => {
    const ids = items.map((one) => one.id);
    const [from, to] = [ids.indexOf(before.current ?? id), ids.indexOf(id)].sort((a, b) => a - b) as [number, number];
    const next = new Set(picked);
    if (range && from >= 0) for (const one of ids.slice(from, to + 1)) next.add(one);
    else if (!next.delete(id)) next.add(id);
    before.current = id;
    setPicked(next);
  };
  useShortcuts([
    {
      id: "contacts.search",
      keys: "/",
      label: "contacts.search",
      group: "contacts.title",
      run: () => box.current?.focus(),
    },
    { id: "contacts.new", keys: "c", label: "contacts.new", group: "contacts.title", run: () => setDialog("new") },
  ]);

  const clear = () => {
    setSearch("");
    setState(null);
    setTag(null);
    setBlocked(false);
  };
  const ways = (
    <Group gap="xs">
      {mayManage && (
        <Button variant="default" leftSection={<IconFileImport size={17} />} onClick={() => setDialog("import")}>
          {t("contacts.import.title")}
        </Button>
      )}
      <Button leftSection={<IconUserPlus size={17} />} onClick={() => setDialog("new")}>
        {t("contacts.new")}
      </Button>
    </Group>
  );
  return (
    <div className={classes.page}>
      <Stack gap="xs" className={classes.head}>
        <Group justify="space-between" gap="xs">
          <Title order={1} size="h3">
            {t("contacts.title")}
          </Title>
          <Group gap="xs">
            <Menu position="bottom-end">
              <Menu.Target>
                <Tooltip label={t("contacts.export")}>
                  <ActionIcon variant="default" size={36} aria-label={t("contacts.export")}>
                    <IconDownload size={18} />
                  </ActionIcon>
                </Tooltip>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Label>{t(narrowed ? "contacts.exportShown" : "contacts.exportAll")}</Menu.Label>
                <Menu.Item component="a" href={api.exported("xlsx", filter)} download>
                  {t("contacts.excel")}
                </Menu.Item>
                <Menu.Item component="a" href={api.exported("csv", filter)} download>
                  {t("contacts.csv")}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
            {ways}
          </Group>
        </Group>
        <Group gap="xs">
          <TextInput
            ref={box}
            type="search"
            placeholder={t("contacts.search")}
            aria-label={t("contacts.search")}
            leftSection={<IconSearch size={16} />}
            value={search}
            maxLength={100}
            flex="1 1 200px"
            maw={420}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <OneOf
            aria-label={t("contacts.column.state")}
            placeholder={t("contacts.anyState")}
            data={profile.states.map((one) => ({ value: one.id, label: one.name }))}
            value={state}
            onChange={setState}
            clearable
            w={150}
          />
          <OneOf
            aria-label={t("contacts.column.tags")}
            placeholder={t("contacts.anyTag")}
            data={company.tags.map((one) => ({ value: one.id, label: one.name }))}
            value={tag}
            onChange={setTag}
            clearable
            w={150}
          />
          <Select
            aria-label={t("contacts.order.title")}
            data={[
              { value: "newest", label: t("contacts.order.newest") },
              { value: "name", label: t("contacts.order.name") },
            ]}
            value={order}
            onChange={(value) => value && setOrder(value as "newest")}
            allowDeselect={false}
            w={150}
          />
          <Menu closeOnItemClick={false} position="bottom-end">
            <Menu.Target>
              <Tooltip label={t("contacts.columns")}>
                <ActionIcon variant="default" size={36} aria-label={t("contacts.columns")} visibleFrom="sm">
                  <IconColumns3 size={18} />
                </ActionIcon>
              </Tooltip>
            </Menu.Target>
            <Menu.Dropdown>
              {[...COLUMNS, ...profile.fields.map((one) => `field:${one.key}`)].map((column) => (
                <Menu.Item
                  key={column}
                  role="menuitemcheckbox"
                  aria-checked={columns.includes(column)}
                  leftSection={
                    <Checkbox
                      size="xs"
                      component="div"
                      checked={columns.includes(column)}
                      readOnly
                      tabIndex={-1}
                      aria-hidden
                    />
                  }
                  onClick={() =>
                    setColumns(
                      columns.includes(column) ? columns.filter((one) => one !== column) : [...columns, column],
                    )
                  }
                >
                  {profile.fields.find((one) => `field:${one.key}` === column)?.name ??
                    t(`contacts.column.${column}` as "contacts.column.phone")}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
          <Checkbox
            size="sm"
            label={t("contacts.onlyBlocked")}
            checked={blocked}
            onChange={(event) => setBlocked(event.currentTarget.checked)}
          />
        </Group>
        {picked.size > 0 && (
          <Bulk ids={[...picked]} company={company} profile={profile} clear={() => setPicked(new Set())} />
        )}
      </Stack>
      {contacts.isError && !contacts.data ? (
        <Failure error={contacts.error} reset={() => void contacts.refetch()} />
      ) : contacts.isPending ? (
        <Stack p="lg" gap="sm" role="status" aria-busy aria-label={t("common.loading")}>
          {[1, 2, 3, 4, 5, 6, 7, 8].map((n) => (
            <Skeleton key={n} h={34} />
          ))}
        </Stack>
      ) : items.length === 0 ? (
        <Center flex={1} p="xl">
          <Stack align="center" maw={440} ta="center">
            <ThemeIcon size={72} radius="xl" variant="light">
              <IconAddressBook size={38} stroke={1.5} />
            </ThemeIcon>
            <Title order={2} size="h4">
              {t(narrowed ? "contacts.none" : "contacts.empty")}
            </Title>
            <Text c="dimmed" size="sm">
              {t(narrowed ? "contacts.noneHint" : "contacts.emptyHint")}
            </Text>
            {narrowed ? (
              <Button variant="light" onClick={clear}>
                {t("contacts.showAll")}
              </Button>
            ) : (
              ways
            )}
          </Stack>
        </Center>
      ) : (
        <ContactTable
          items={items}
          shown={columns}
          company={company}
          profile={profile}
          picked={picked}
          pick={pick}
          pickAll={(all) => setPicked(new Set(all ? items.map((one) => one.id) : []))}
          open={show}
          more={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
        />
      )}
      {open && <ContactDrawer id={open} company={company} onClose={() => show(undefined)} show={show} />}
      {dialog === "import" && <ImportWizard profile={profile} onClose={() => setDialog(null)} />}
      {dialog === "new" && <NewContact onClose={() => setDialog(null)} onMade={show} />}
    </div>
  );
}
