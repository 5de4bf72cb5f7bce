import { Avatar, Button, Mark, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Hit, search } from "@/api/inbox";
import type { Company } from "@/session/company";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { useDayOrTime } from "@/shell/time";
import classes from "../ChatList.module.css";
import { iconOf } from "../kinds/icons";
import { pieces } from "./pieces";
import { SearchFilters } from "./SearchFilters";
import { asQuery, EVERYWHERE, narrows } from "./within";

const SECTIONS = ["contact", "file", "message"] as const;

/** A page has an end before it is full where little of what is said is wanted: so many hits, or pages, are brought unasked. */
const ENOUGH = 15;
const PAGES = 8;

type Props = { q: string; company: Company; write: (phone: string) => void };

/** Who, what was said and what files are called: each leads to where it stands. */
export function SearchResults({ q, company, write }: Props) {
  const { t } = useTranslation();
  const [within, setWithin] = useState(EVERYWHERE);
  const found = useInfiniteQuery({
    queryKey: ["search", q, within],
    queryFn: ({ pageParam }) => search(q, asQuery(within), pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: 10_000,
  });
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetching, isError, fetchNextPage } = found;
  const short = items.length < ENOUGH && (found.data?.pages.length ?? PAGES) < PAGES;
  useEffect(() => {
    if (hasNextPage && short && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, short, isFetching, isError, fetchNextPage]);
  return (
    <section className={classes.found} data-chats aria-label={t("search.results")}>
      <SearchFilters within={within} change={setWithin} company={company} />
      {found.isError && !found.data && <Failure error={found.error} reset={() => void found.refetch()} />}
      {found.isPending && (
        <Stack px="md" gap="sm" role="status" aria-busy aria-label={t("common.loading")}>
          {[1, 2, 3].map((n) => (
            <Skeleton key={n} h={48} />
          ))}
        </Stack>
      )}
      {SECTIONS.map((kind) => {
        const some = items.filter((hit) => hit.kind === kind);
        return (
          some.length > 0 && (
            <section key={kind} aria-label={t(`search.${kind}`)}>
              <Title order={2} size="xs" c="dimmed" tt="uppercase" px={18} pt={8} pb={2}>
                {t(`search.${kind}`)}
              </Title>
              {some.map((hit) => (
                <Found key={hit.message_id ?? hit.contact?.id ?? hit.at} hit={hit} write={write} />
              ))}
            </section>
          )
        );
      })}
      {found.data && !items.length && !found.hasNextPage && (
        <Text c="dimmed" size="sm" ta="center" p="xl">
          {t(narrows(within) ? "search.nothingWithin" : "search.nothing")}
        </Text>
      )}
      {found.hasNextPage && (
        <Button
          variant="subtle"
          size="xs"
          m="sm"
          loading={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage()}
        >
          {t("search.more")}
        </Button>
      )}
    </section>
  );
}

function Found({ hit, write }: { hit: Hit; write: (phone: string) => void }) {
  const { t } = useTranslation();
  const when = useDayOrTime();
  const phone = hit.contact?.phone;
  const name = hit.name || hit.contact?.name || (phone ? phoneText(phone) : t("inbox.unknown"));
  const Icon = hit.kind === "contact" ? undefined : iconOf(hit.message_kind ?? "text");
  const inside = (
    <>
      <Avatar name={name} color="initials" radius="xl" size={36} />
      <div className={classes.lines}>
        <div className={classes.line}>
          <Text fw={550} size="sm" truncate dir="auto" title={name}>
            {name}
          </Text>
          <Text size="xs" c="dimmed" style={{ flex: "none" }}>
            {hit.kind === "contact" ? "" : when(hit.at)}
          </Text>
        </div>
        <div className={classes.preview}>
          {Icon && hit.message_kind !== "text" && <Icon size={14} aria-hidden style={{ flex: "none" }} />}
          <Text size="sm" c="dimmed" lineClamp={2} dir="auto">
            {hit.from_me ? `${t("inbox.you")}: ` : ""}
            {pieces(hit.excerpt.text, hit.excerpt.hits).map((piece, index) =>
              piece.hit ? (
                // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one unchanging text
                <Mark key={index}>{piece.text}</Mark>
              ) : (
                piece.text
              ),
            )}
          </Text>
        </div>
      </div>
    </>
  );
  if (!hit.chat_id) {
    return (
      <button type="button" className={classes.hit} disabled={!phone} onClick={() => phone && write(phone)}>
        {inside}
      </button>
    );
  }
  return (
    <Link
      to="/inbox/$chatId"
      params={{ chatId: hit.chat_id }}
      {...(hit.message_id ? { hash: hit.message_id } : {})}
      className={classes.hit}
      preload={false}
    >
      {inside}
    </Link>
  );
}
