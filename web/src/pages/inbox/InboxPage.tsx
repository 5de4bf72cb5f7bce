import { Center, Skeleton, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconMessages } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useParams, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import * as inbox from "@/api/inbox";
import { told } from "@/i18n";
import { KEYS } from "@/realtime/apply";
import { useCompany } from "@/session/company";
import { useSession } from "@/session/session";
import { ChatList } from "./ChatList";
import { useOutbox } from "./compose/useOutbox";
import classes from "./InboxPage.module.css";
import { type Chosen, remember, remembered } from "./list/filters";

const Conversation = lazy(told(() => import("./Conversation").then((page) => ({ default: page.Conversation }))));
const FilterPane = lazy(told(() => import("./list/FilterPane").then((part) => ({ default: part.FilterPane }))));
const DetailsDrawer = lazy(
  told(() => import("./details/DetailsDrawer").then((part) => ({ default: part.DetailsDrawer }))),
);
const Details = lazy(told(() => import("./details/Details").then((page) => ({ default: page.Details }))));

const DETAILS = "clarin.inbox.details";

/** Filters, chats, the conversation and whom it is with: side by side on a laptop, one after the other on a phone. */
export function InboxPage() {
  const { t } = useTranslation();
  const { chatId } = useParams({ strict: false });
  const at = useRouterState({ select: (state) => state.location.hash }) || undefined;
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false }) ?? false;
  const roomy = useMediaQuery("(min-width: 75em)", true, { getInitialValueInEffect: false }) ?? true;
  const wide = useMediaQuery("(min-width: 100em)", false, { getInitialValueInEffect: false }) ?? false;
  const me = useSession()?.user.id;
  const company = useCompany();
  const counts = useQuery({ queryKey: KEYS.counts, queryFn: inbox.counts });
  const [chosen, setChosen] = useState(remembered);
  const [beside, setBeside] = useState(() => localStorage.getItem(DETAILS) !== "no");
  const [over, setOver] = useState(false);
  useOutbox(me);
  const choose = (next: Chosen) => {
    setChosen(next);
    remember(next);
  };
  const toggle = () => {
    if (!roomy) return setOver(!over);
    localStorage.setItem(DETAILS, beside ? "no" : "yes");
    setBeside(!beside);
  };
  const shown = !!chatId && (roomy ? beside : over);

  return (
    <div
      className={classes.page}
      data-phone={phone || undefined}
      data-wide={wide || undefined}
      data-details={(roomy && shown) || undefined}
    >
      {wide && (
        <nav className={classes.filters} aria-label={t("filter.title")}>
          <Suspense fallback={<Skeleton h={300} />}>
            <FilterPane chosen={chosen} choose={choose} company={company} counts={counts.data} />
          </Suspense>
        </nav>
      )}
      {!(phone && chatId) && (
        <section className={classes.list} aria-label={t("inbox.list")}>
          <ChatList
            selected={chatId}
            chosen={chosen}
            choose={choose}
            company={company}
            counts={counts.data}
            me={me ?? ""}
            wide={wide}
          />
        </section>
      )}
      {chatId ? (
        <Suspense
          fallback={
            <Stack p="md" role="status" aria-busy aria-label={t("common.loading")}>
              <Skeleton h={44} />
            </Stack>
          }
        >
          <Conversation
            key={chatId}
            chatId={chatId}
            company={company}
            phone={phone}
            at={at}
            details={{ shown, toggle }}
          />
        </Suspense>
      ) : (
        !phone && (
          <Center className={classes.nothing}>
            <Stack align="center" gap={4}>
              <IconMessages size={48} stroke={1.2} aria-hidden />
              <Text fw={600}>{t("inbox.pick")}</Text>
              <Text size="sm" c="dimmed">
                {t("inbox.pickHint")}
              </Text>
            </Stack>
          </Center>
        )
      )}
      {chatId && roomy && beside && (
        <aside className={classes.details} aria-label={t("inbox.details")}>
          <Suspense fallback={<Stack aria-busy />}>
            <Details key={chatId} chatId={chatId} company={company} />
          </Suspense>
        </aside>
      )}
      {chatId && !roomy && (
        <Suspense fallback={null}>
          <DetailsDrawer
            key={chatId}
            chatId={chatId}
            company={company}
            opened={over}
            onClose={() => setOver(false)}
            phone={phone}
          />
        </Suspense>
      )}
    </div>
  );
}
