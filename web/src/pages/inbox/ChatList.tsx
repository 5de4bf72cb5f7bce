import {
  ActionIcon,
  Button,
  Group,
  SegmentedControl,
  Skeleton,
  Stack,
  Text,
  TextInput,
  Title,
  Tooltip,
} from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { IconMessagePlus, IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { KEYS } from "@/realtime/apply";
import { useMayManage } from "@/session/session";
import { Failure } from "@/shell/Failure";
import classes from "./ChatList.module.css";
import { ChatRow } from "./ChatRow";
import { NewChat } from "./NewChat";

const ROW = 72;

/** Every chat of the account, newest first, however many there are. */
export function ChatList({ selected }: { selected: string | undefined }) {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const [search, setSearch] = useState("");
  const [show, setShow] = useState<"all" | "unread">("all");
  const [q] = useDebouncedValue(search.trim(), 250);
  const [writing, write] = useDisclosure();
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const filter: api.ChatFilter = { ...(q ? { q } : {}), ...(show === "unread" ? { unread: true } : {}) };
  const chats = useInfiniteQuery({
    queryKey: [...KEYS.chats, filter],
    queryFn: ({ pageParam }) => api.chats(filter, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = chats.data?.pages.flatMap((page) => page.items) ?? [];
  const names = new Map(devices.data?.items.map((device) => [device.id, device.name]));
  const several = (devices.data?.items.length ?? 0) > 1;

  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 8,
  });
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = chats;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= items.length - 15) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, last, items.length]);

  return (
    <>
      <Stack gap="xs" p="md" pb="xs">
        <Group justify="space-between" wrap="nowrap">
          <Title order={1} size="h3">
            {t("inbox.title")}
          </Title>
          <Tooltip label={t("inbox.new")}>
            <ActionIcon
              variant="light"
              size="lg"
              aria-label={t("inbox.new")}
              onClick={write.open}
              disabled={!devices.data?.items.length}
            >
              <IconMessagePlus size={20} />
            </ActionIcon>
          </Tooltip>
        </Group>
        <TextInput
          type="search"
          placeholder={t("inbox.search")}
          aria-label={t("inbox.search")}
          leftSection={<IconSearch size={16} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <SegmentedControl
          size="xs"
          value={show}
          onChange={(value) => setShow(value as typeof show)}
          data={[
            { value: "all", label: t("inbox.all") },
            { value: "unread", label: t("inbox.unread") },
          ]}
        />
      </Stack>
      {chats.isError ? (
        <Failure error={chats.error} reset={() => void chats.refetch()} />
      ) : chats.isPending ? (
        <Stack px="md" gap="sm" aria-busy aria-label={t("common.loading")}>
          {[1, 2, 3, 4, 5].map((n) => (
            <Group key={n} wrap="nowrap">
              <Skeleton circle h={44} miw={44} />
              <Stack gap={6} flex={1}>
                <Skeleton h={12} w="60%" />
                <Skeleton h={10} w="90%" />
              </Stack>
            </Group>
          ))}
        </Stack>
      ) : items.length === 0 ? (
        <Stack align="center" p="xl" gap="xs" ta="center">
          {q || show === "unread" ? (
            <Text c="dimmed" size="sm">
              {t("inbox.emptyFilter")}
            </Text>
          ) : devices.data?.items.length === 0 ? (
            <>
              <Text fw={600}>{t("inbox.noDevices")}</Text>
              {mayManage && (
                <Button component={Link} to="/devices">
                  {t("inbox.connectFirst")}
                </Button>
              )}
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
        <div ref={scroller} className={classes.scroller}>
          <ul className={classes.rows} style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const chat = items[row.index];
              return (
                chat && (
                  <li
                    key={row.key}
                    className={classes.row}
                    style={{ height: ROW, transform: `translateY(${row.start}px)` }}
                  >
                    <ChatRow
                      chat={chat}
                      active={chat.id === selected}
                      device={several ? names.get(chat.device_id) : undefined}
                    />
                  </li>
                )
              );
            })}
          </ul>
        </div>
      )}
      {devices.data && <NewChat opened={writing} onClose={write.close} devices={devices.data.items} />}
    </>
  );
}
