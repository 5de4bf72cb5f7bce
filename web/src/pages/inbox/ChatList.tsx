import {
  ActionIcon,
  Button,
  Group,
  Indicator,
  SegmentedControl,
  Skeleton,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { IconAdjustmentsHorizontal, IconMessagePlus, IconSearch } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Counts } from "@/api/inbox";
import type { Chat } from "@/api/types";
import { told } from "@/i18n";
import { KEYS } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { useMayManage } from "@/session/session";
import { Failure } from "@/shell/Failure";
import { useShortcuts } from "@/shell/shortcuts";
import classes from "./ChatList.module.css";
import { ChatRow } from "./ChatRow";
import { asFilter, type Chosen, narrowed, START } from "./list/filters";

const BulkBar = lazy(told(() => import("./list/BulkBar").then((part) => ({ default: part.BulkBar }))));
const FilterMenu = lazy(told(() => import("./list/FilterMenu").then((part) => ({ default: part.FilterMenu }))));
const SearchResults = lazy(
  told(() => import("./list/SearchResults").then((part) => ({ default: part.SearchResults }))),
);
const NewChat = lazy(told(() => import("./NewChat").then((part) => ({ default: part.NewChat }))));

const ROW = 78;
const TICK_MS = 30_000;

/** Where which list was left: on a phone whoever comes back from a chat finds it there. */
const left = { list: "", at: 0 };

type Props = {
  selected: string | undefined;
  chosen: Chosen;
  choose: (next: Chosen) => void;
  company: Company;
  counts: Counts | undefined;
  me: string;
  /** The filters have a column of their own. */
  wide: boolean;
};

/** The chats that were asked for, newest first, however many there are. */
export function ChatList({ selected, chosen, choose, company, counts, me, wide }: Props) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const mayManage = useMayManage();
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search.trim(), 250);
  const [writing, write] = useDisclosure();
  const [to, writeTo] = useState<string>();
  const [filtering, filterMenu] = useDisclosure();
  const [filtered, setFiltered] = useState(false);
  if (filtering && !filtered) setFiltered(true);
  const filterButton = useRef<HTMLButtonElement>(null);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const lastPicked = useRef<string>(undefined);
  const box = useRef<HTMLInputElement>(null);
  const now = useTick();
  const filter = useMemo(() => asFilter(chosen, q), [chosen, q]);
  const chats = useInfiniteQuery({
    queryKey: [...KEYS.chats, filter],
    queryFn: ({ pageParam }) => api.chats(filter, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: q ? keepPreviousData : undefined,
  });
  const items = useMemo(() => {
    const seen = new Set<string>();
    const all = chats.data?.pages.flatMap((page) => page.items) ?? [];
    return all.filter((chat) => !seen.has(chat.id) && seen.add(chat.id));
  }, [chats.data]);

  const scroller = useRef<HTMLDivElement>(null);
  const name = JSON.stringify(filter);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 8,
    initialOffset: () => (left.list === name ? left.at : 0),
  });
  useEffect(() => {
    return () => {
      left.list = name;
      left.at = rows.scrollOffset ?? 0;
    };
  }, [name, rows]);
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = chats;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= items.length - 15) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, last, items.length]);

  const order = useRef<Chat[]>(items);
  order.current = items;
  const pick = useCallback((id: string, range: boolean) => {
    setPicked((before) => {
      const next = new Set(before);
      const ids = order.current.map((chat) => chat.id);
      const [from, to] = [ids.indexOf(lastPicked.current ?? id), ids.indexOf(id)].sort((a, b) => a - b);
      if (range && from !== undefined && from >= 0) for (const one of ids.slice(from, (to ?? 0) + 1)) next.add(one);
      else if (!next.delete(id)) next.add(id);
      lastPicked.current = id;
      return next;
    });
  }, []);
  const clear = useCallback(() => setPicked(new Set()), []);
  const several = useMemo(() => items.filter((chat) => picked.has(chat.id)), [items, picked]);

  // Whoever goes from chat to chat by keys stays in the list: whoever is elsewhere when a chat opens is about to write.
  const go = (chat: Chat) => {
    const row = scroller.current?.querySelector<HTMLElement>(`a[href$="${chat.id}"]`);
    (row ?? scroller.current)?.focus({ preventScroll: true });
    void navigate({ to: "/inbox/$chatId", params: { chatId: chat.id } });
  };
  const step = (by: number) => {
    const here = items.findIndex((chat) => chat.id === selected);
    const next = Math.max(0, Math.min(items.length - 1, here < 0 ? 0 : here + by));
    const chat = items[next];
    if (!chat) return;
    rows.scrollToIndex(next);
    go(chat);
  };
  const nextUnread = () => {
    const chat = items.find((one) => (one.unread > 0 || one.marked_unread) && one.id !== selected);
    if (chat) go(chat);
  };
  useShortcuts([
    { id: "inbox.next", keys: "j", label: "inboxKeys.next", group: "inboxKeys.inbox", run: () => step(1) },
    { id: "inbox.previous", keys: "k", label: "inboxKeys.previous", group: "inboxKeys.inbox", run: () => step(-1) },
    { id: "inbox.unread", keys: "u", label: "inboxKeys.unread", group: "inboxKeys.inbox", run: nextUnread },
    {
      id: "inbox.search",
      keys: "/",
      label: "inboxKeys.search",
      group: "inboxKeys.inbox",
      run: () => box.current?.focus(),
    },
    { id: "inbox.new", keys: "c", label: "inboxKeys.new", group: "inboxKeys.inbox", run: write.open },
    {
      id: "inbox.mine",
      keys: "1",
      label: "inboxKeys.mine",
      group: "inboxKeys.inbox",
      run: () => choose({ ...chosen, view: "mine", agent: null }),
    },
    {
      id: "inbox.free",
      keys: "2",
      label: "inboxKeys.unassigned",
      group: "inboxKeys.inbox",
      run: () => choose({ ...chosen, view: "unassigned", agent: null }),
    },
    {
      id: "inbox.all",
      keys: "3",
      label: "inboxKeys.all",
      group: "inboxKeys.inbox",
      run: () => choose({ ...chosen, view: "all", agent: null }),
    },
    {
      id: "inbox.pick",
      keys: "x",
      label: "inboxKeys.pick",
      group: "inboxKeys.inbox",
      run: () => selected && pick(selected, false),
    },
  ]);
  useShortcuts(
    [{ id: "inbox.clear", keys: "Escape", label: "bulk.clear", group: "inboxKeys.inbox", run: clear }],
    picked.size > 0,
  );

  const changed = narrowed(chosen) + (chosen.status !== START.status ? 1 : 0);
  const counted = (label: string, count: number | undefined) =>
    count ? `${label} ${count >= (counts?.most ?? 1000) ? "…" : count}` : label;
  return (
    <>
      <Stack gap={8} p="sm" pb={8}>
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <Title order={1} size="h3" flex={1}>
            {t("inbox.title")}
          </Title>
          {!wide && (
            <Indicator label={changed} disabled={!changed} size={16} offset={4}>
              <ActionIcon
                ref={filterButton}
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={t("filter.title")}
                aria-haspopup="dialog"
                aria-expanded={filtering}
                onClick={filterMenu.toggle}
              >
                <IconAdjustmentsHorizontal size={20} />
              </ActionIcon>
              <Suspense fallback={null}>
                {filtered && (
                  <FilterMenu
                    button={filterButton.current}
                    opened={filtering}
                    close={filterMenu.close}
                    chosen={chosen}
                    choose={choose}
                    company={company}
                    counts={counts}
                  />
                )}
              </Suspense>
            </Indicator>
          )}
          <ActionIcon
            variant="light"
            size="lg"
            aria-label={t("inbox.new")}
            title={`${t("inbox.new")} (C)`}
            onClick={write.open}
            disabled={!company.devices.length}
          >
            <IconMessagePlus size={20} />
          </ActionIcon>
        </Group>
        <TextInput
          ref={box}
          type="search"
          placeholder={t("inbox.search")}
          aria-label={t("inbox.search")}
          leftSection={<IconSearch size={16} />}
          value={search}
          maxLength={100}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            setSearch("");
            event.currentTarget.blur();
          }}
        />
        {!wide && (
          <SegmentedControl
            size="xs"
            fullWidth
            aria-label={t("filter.whose")}
            value={chosen.agent ? "" : chosen.view}
            onChange={(value) => choose({ ...chosen, view: value as Chosen["view"], agent: null })}
            data={[
              { value: "mine", label: counted(t("filter.view.mine"), counts?.mine) },
              { value: "unassigned", label: counted(t("filter.view.unassigned"), counts?.unassigned) },
              { value: "all", label: t("filter.view.all") },
            ]}
          />
        )}
      </Stack>
      {several.length > 0 && (
        <Suspense fallback={null}>
          <BulkBar chats={several} company={company} clear={clear} />
        </Suspense>
      )}
      {q.length > 1 ? (
        <Suspense fallback={<Skeleton m="md" h={48} />}>
          <SearchResults q={q} company={company} write={(phone) => writeTo(phone)} />
        </Suspense>
      ) : chats.isError && !chats.data ? (
        <Failure error={chats.error} reset={() => void chats.refetch()} />
      ) : chats.isPending ? (
        <Stack px="md" gap="sm" role="status" aria-busy aria-label={t("common.loading")}>
          {[1, 2, 3, 4, 5, 6].map((n) => (
            <Group key={n} wrap="nowrap">
              <Skeleton circle h={42} miw={42} />
              <Stack gap={6} flex={1}>
                <Skeleton h={12} w="60%" />
                <Skeleton h={10} w="90%" />
              </Stack>
            </Group>
          ))}
        </Stack>
      ) : items.length === 0 ? (
        <Stack align="center" p="xl" gap="xs" ta="center">
          {q ? (
            <Text c="dimmed" size="sm">
              {t("inbox.emptyFilter")}
            </Text>
          ) : company.known && company.devices.length === 0 ? (
            <>
              <Text fw={600}>{t("inbox.noDevices")}</Text>
              {mayManage && (
                <Button component={Link} to="/start">
                  {t("inbox.connectFirst")}
                </Button>
              )}
            </>
          ) : changed > 0 || chosen.view !== "all" || chosen.agent ? (
            <>
              <Text c="dimmed" size="sm">
                {t(chosen.view === "mine" && !changed ? "inbox.emptyMine" : "inbox.emptyFilter")}
              </Text>
              <Button variant="light" size="xs" onClick={() => choose(START)}>
                {t("inbox.showAll")}
              </Button>
            </>
          ) : (
            <>
              <Text fw={600}>{t("inbox.empty")}</Text>
              <Text c="dimmed" size="sm">
                {t("inbox.emptyHint")}
              </Text>
            </>
          )}
        </Stack>
      ) : (
        <div ref={scroller} className={classes.scroller} tabIndex={-1} data-chats>
          <ul className={classes.rows} style={{ height: rows.getTotalSize() }} aria-label={t("inbox.list")}>
            {rows.getVirtualItems().map((row) => {
              const chat = items[row.index];
              return (
                chat && (
                  <li
                    key={row.key}
                    className={classes.row}
                    data-choosing={picked.size > 0 || undefined}
                    style={{ height: ROW, transform: `translateY(${row.start}px)` }}
                  >
                    <ChatRow
                      chat={chat}
                      active={chat.id === selected}
                      company={company}
                      me={me}
                      now={now}
                      chosen={picked.has(chat.id)}
                      choosing={picked.size > 0}
                      choose={pick}
                    />
                  </li>
                )
              );
            })}
          </ul>
        </div>
      )}
      {(writing || to) && (
        <Suspense fallback={null}>
          <NewChat
            opened
            onClose={() => {
              write.close();
              writeTo(undefined);
            }}
            devices={company.devices}
            to={to}
          />
        </Suspense>
      )}
    </>
  );
}

/** The time, read again as often as waiting is worth it. */
function useTick(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
