import { Button, Loader, Stack, Text, Timeline } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as numbers from "@/api/numbers";
import { Failure } from "@/shell/Failure";
import { useMomentOrTime } from "@/shell/time";
import { COLOR, useStanding } from "./standing";

/** What happened to a number, the latest first. */
export function NumberHistory({ id }: { id: string }) {
  const { t } = useTranslation();
  const { why } = useStanding();
  const moment = useMomentOrTime();
  const steps = useInfiniteQuery({
    queryKey: ["number", id, "history"],
    queryFn: ({ pageParam }) => numbers.history(id, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 10_000,
  });
  if (steps.isError) return <Failure error={steps.error} reset={() => void steps.refetch()} />;
  if (steps.isPending) return <Loader size="sm" aria-label={t("common.loading")} />;
  const items = steps.data.pages.flatMap((page) => page.items);
  return (
    <Stack>
      <Timeline active={items.length} bulletSize={14} lineWidth={2} aria-label={t("number.tab.history")}>
        {items.map((step) => (
          <Timeline.Item key={step.revision} color={COLOR[step.state]} title={t(`devices.state.${step.state}`)}>
            {step.reason && <Text size="sm">{why(step)}</Text>}
            <Text size="xs" c="dimmed">
              {moment(step.at)}
              {step.by && ` · ${t(step.by.kind === "key" ? "number.byKey" : "number.byPerson")}`}
              {step.until && ` · ${t("number.until", { at: moment(step.until) })}`}
            </Text>
          </Timeline.Item>
        ))}
      </Timeline>
      {steps.hasNextPage && (
        <Button
          variant="default"
          size="xs"
          loading={steps.isFetchingNextPage}
          onClick={() => void steps.fetchNextPage()}
        >
          {t("number.more")}
        </Button>
      )}
    </Stack>
  );
}
