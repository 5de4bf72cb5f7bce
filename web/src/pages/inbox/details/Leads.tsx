import { Badge, Button, Group, Paper, Skeleton, Stack, Text } from "@mantine/core";
import { IconExternalLink, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import * as api from "@/api/board";
import { useMoney } from "@/pages/board/money";
import { OneOf } from "@/shell/choose";
import { Dot } from "@/shell/Dot";
import { useShowProblem } from "@/shell/problems";
import { Section } from "./Details";

/** The leads of a chat: what they are worth, where they stand, and the way to the board. */
export function Leads({ chatId, name }: { chatId: string; name: string }) {
  const { t } = useTranslation();
  const money = useMoney();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const leads = useQuery({ queryKey: ["chat-leads", chatId], queryFn: () => api.leadsOfChat(chatId) });
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const refresh = () => client.invalidateQueries({ queryKey: ["chat-leads"] });
  const make = useMutation({
    mutationFn: () => api.enterLead({ title: name.slice(0, 200), chat_id: chatId }),
    onSuccess: refresh,
    onError: showProblem,
  });
  const move = useMutation({
    mutationFn: ({ id, stage, version }: { id: string; stage: string; version: number }) =>
      api.moveLead(id, { stage_id: stage, version }),
    onSettled: refresh,
    onError: showProblem,
  });
  return (
    <Section
      title={t("details.leads")}
      action={
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconPlus size={13} />}
          loading={make.isPending}
          onClick={() => make.mutate()}
        >
          {t("details.newLead")}
        </Button>
      }
    >
      {leads.isPending && <Skeleton h={48} />}
      {leads.data?.items.map((lead) => {
        const pipeline = pipelines.data?.items.find((one) => one.id === lead.pipeline_id);
        const stage = pipeline?.stages.find((one) => one.id === lead.stage_id);
        return (
          <Paper key={lead.id} withBorder p="xs">
            <Stack gap={6}>
              <Text size="sm" fw={550} truncate title={lead.title} dir="auto">
                {lead.title}
              </Text>
              <Group justify="space-between" wrap="nowrap" gap="xs">
                {stage && (
                  <Badge
                    variant="default"
                    flex="none"
                    data-testid="chat-stage"
                    tt="none"
                    leftSection={<Dot color={stage.color} />}
                  >
                    {stage.name}
                  </Badge>
                )}
                <Text size="sm" style={{ flex: "none" }}>
                  {money(lead.value, lead.currency)}
                </Text>
              </Group>
              {pipeline && (
                <OneOf
                  size="xs"
                  aria-label={t("details.stage")}
                  data={pipeline.stages.map((one) => ({ value: one.id, label: one.name }))}
                  value={lead.stage_id}
                  onChange={(next) =>
                    next && next !== lead.stage_id && move.mutate({ id: lead.id, stage: next, version: lead.version })
                  }
                  allowDeselect={false}
                />
              )}
              <Button
                component={Link}
                to="/board"
                search={{ lead: lead.id } as never}
                size="compact-xs"
                variant="subtle"
                rightSection={<IconExternalLink size={13} />}
              >
                {t("details.toBoard")}
              </Button>
            </Stack>
          </Paper>
        );
      })}
      {leads.data && !leads.data.items.length && (
        <Text size="sm" c="dimmed">
          {t("details.noLeads")}
        </Text>
      )}
    </Section>
  );
}
