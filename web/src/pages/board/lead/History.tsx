import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Board, Card } from "@/api/board";
import * as api from "@/api/board";
import { useMoment } from "@/shell/time";
import { useMoney } from "../money";
import { LEAD } from "../useBoard";

type Props = { lead: Card; pipeline: Board["pipeline"]; people: { id: string; name: string }[] };

/** What became of a lead, the latest first. */
export function History({ lead, people, pipeline }: Props) {
  const { t } = useTranslation();
  const moment = useMoment();
  const money = useMoney();
  const lines = useQuery({ queryKey: [LEAD, lead.id, "history"], queryFn: () => api.history(lead.id) });
  const name = (id: unknown) => people.find((person) => person.id === id)?.name ?? t("board.nobody");
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const stages = [pipeline, ...(pipelines.data?.items ?? [])].flatMap((one) => one.stages);
  const stage = (id: unknown) => stages.find((one) => one.id === id)?.name ?? "…";
  const value = (field: string, what: unknown) =>
    field === "value" ? money(Number(what), lead.currency) : field === "owner" ? name(what) : String(what ?? "–");
  const say = (what: string, changes: Record<string, unknown>) => {
    const [from, to] = (changes.stage as unknown[] | undefined) ?? [];
    if (what === "moved") return t("board.wasMoved", { from: stage(from), to: stage(to) });
    if (what === "created") return t("board.wasCreated");
    return Object.entries(changes)
      .map(([field, pair]) => {
        const label = t(`board.field.${field}` as "board.field.title");
        const shown =
          Array.isArray(pair) &&
          ["title", "value", "owner", "source", "currency", "lost_reason", "expected_close"].includes(field);
        return shown ? `${label}: ${value(field, pair[0])} → ${value(field, pair[1])}` : label;
      })
      .join(" · ");
  };
  return (
    <Stack gap={6}>
      {(lines.data?.items ?? []).map((line) => (
        <div key={line.id}>
          <Text size="xs">{say(line.what, line.changes as Record<string, unknown>)}</Text>
          <Text size="xs" c="dimmed">
            {moment(line.at)}
            {line.actor_id ? ` · ${name(line.actor_id)}` : line.rule_id ? ` · ${t("board.byRule")}` : ""}
          </Text>
        </div>
      ))}
    </Stack>
  );
}
