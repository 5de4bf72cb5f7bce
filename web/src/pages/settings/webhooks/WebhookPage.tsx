import { ActionIcon, Alert, Button, Card, Group, Menu, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconArrowLeft, IconDots, IconPlayerPause, IconPlayerPlay, IconRepeat, IconSend } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { WebhookOut } from "@/api/generated";
import * as api from "@/api/webhooks";
import { numbers } from "@/formats";
import { Confirm } from "@/shell/Confirm";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import { ShownOnce } from "../parts";
import { Deliveries } from "./Deliveries";
import { ExampleDialog, ReplayDialog, Replays } from "./Replays";
import { WebhookDialog } from "./WebhookDialog";
import { Standing } from "./WebhooksPage";

const DAY = 86_400;
const REFRESH = 3_000;

/** One endpoint: how it fares, what was sent there, and sending it again. */
export function WebhookPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const webhook = useQuery({
    queryKey: ["webhooks", id],
    queryFn: () => api.webhook(id),
    refetchInterval: REFRESH,
  });
  return <Loaded query={webhook}>{(item) => <Shown item={item} />}</Loaded>;
}

type Dialog = "example" | "replay" | "edit" | "rotate" | "delete";

function Shown({ item }: { item: WebhookOut }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const showProblem = useShowProblem();
  const moment = useMoment();
  const [dialog, open] = useState<Dialog>();
  const [secret, show] = useState<string>();
  const close = () => open(undefined);
  const settled = { onSettled: () => client.invalidateQueries({ queryKey: ["webhooks"] }), onError: showProblem };
  const turn = useMutation({
    mutationFn: () => api.changeWebhook(item.id, { state: item.state === "enabled" ? "paused" : "enabled" }),
    ...settled,
  });
  const rotate = useMutation({
    mutationFn: () => api.rotateWebhook(item.id, DAY),
    onSuccess: (made) => {
      close();
      show(made.secret);
    },
    ...settled,
  });
  const remove = useMutation({
    mutationFn: () => api.deleteWebhook(item.id),
    onSuccess: () => navigate({ to: "/settings/webhooks" }),
    ...settled,
  });
  const enabled = item.state === "enabled";
  return (
    <Stack gap="md">
      <Group gap="xs" wrap="nowrap">
        <ActionIcon
          component={Link}
          to="/settings/webhooks"
          variant="subtle"
          color="gray"
          aria-label={t("webhooks.back")}
        >
          <IconArrowLeft size={18} />
        </ActionIcon>
        <Title order={2} size="h4" style={{ minWidth: 0, overflowWrap: "anywhere" }}>
          {item.description || item.url}
        </Title>
        <Standing item={item} />
      </Group>
      <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {item.url} · {item.types.map((type) => (type === "*" ? t("webhooks.allTypes") : type)).join(", ")}
      </Text>
      {item.state === "disabled" && (
        <Alert color="red">{t(item.reason === "gone" ? "webhooks.reason.gone" : "webhooks.reason.failing")}</Alert>
      )}
      {enabled && item.failing_since && (
        <Alert color="orange">{t("webhooks.failingSince", { at: moment(item.failing_since) })}</Alert>
      )}
      {item.previous_secret_until && Date.parse(item.previous_secret_until) > Date.now() && (
        <Text size="sm" c="dimmed">
          {t("webhooks.overlap", { at: moment(item.previous_secret_until) })}
        </Text>
      )}
      <Group gap="xs">
        <Button leftSection={<IconSend size={16} />} onClick={() => open("example")} disabled={!enabled}>
          {t("webhooks.example")}
        </Button>
        <Button
          variant="light"
          leftSection={<IconRepeat size={16} />}
          onClick={() => open("replay")}
          disabled={item.state === "disabled"}
        >
          {t("webhooks.replay")}
        </Button>
        <Button
          variant="default"
          leftSection={enabled ? <IconPlayerPause size={16} /> : <IconPlayerPlay size={16} />}
          loading={turn.isPending}
          onClick={() => turn.mutate()}
        >
          {t(enabled ? "webhooks.pause" : "webhooks.enable")}
        </Button>
        <Menu position="bottom-end" withArrow>
          <Menu.Target>
            <ActionIcon variant="default" size="lg" aria-label={t("webhooks.actions")}>
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => open("edit")}>{t("webhooks.edit")}</Menu.Item>
            <Menu.Item onClick={() => open("rotate")}>{t("webhooks.rotate")}</Menu.Item>
            <Menu.Item color="red" onClick={() => open("delete")}>
              {t("webhooks.delete")}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
      <Sums id={item.id} />
      <Replays id={item.id} />
      <Deliveries id={item.id} disabled={item.state === "disabled"} />
      {dialog === "example" && <ExampleDialog id={item.id} onClose={close} />}
      {dialog === "replay" && <ReplayDialog item={item} onClose={close} />}
      {dialog === "edit" && <WebhookDialog known={item} onClose={close} />}
      {dialog === "rotate" && (
        <Confirm
          title={t("webhooks.rotate")}
          text={t("webhooks.rotateText")}
          action={t("webhooks.rotate")}
          loading={rotate.isPending}
          onConfirm={() => rotate.mutate()}
          onClose={close}
        />
      )}
      {dialog === "delete" && (
        <Confirm
          title={t("webhooks.deleteTitle")}
          text={t("webhooks.deleteText")}
          action={t("webhooks.delete")}
          loading={remove.isPending}
          onConfirm={() => remove.mutate()}
          onClose={close}
        />
      )}
      {secret && (
        <ShownOnce
          title={t("webhooks.rotated")}
          hint={t("webhooks.shownOnce")}
          value={secret}
          onClose={() => show(undefined)}
        />
      )}
    </Stack>
  );
}

function Sums({ id }: { id: string }) {
  const { t, i18n } = useTranslation();
  const sums = useQuery({
    queryKey: ["webhooks", id, "statistics"],
    queryFn: () => api.statistics(id),
    refetchInterval: REFRESH,
  });
  const number = numbers(i18n.language);
  return (
    <Loaded query={sums}>
      {(found) => (
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs" aria-label={t("webhooks.week")}>
          {(
            [
              ["delivered", number.format(found.delivered)],
              ["failed", number.format(found.failed)],
              ["waiting", number.format(found.waiting)],
              ["latency", `${number.format(found.latency_ms)} ms`],
            ] as const
          ).map(([name, value]) => (
            <Card key={name} withBorder padding="xs">
              <Text size="xs" c="dimmed">
                {t(`webhooks.sum.${name}`)}
              </Text>
              <Text fw={600} data-testid={`sum-${name}`}>
                {value}
              </Text>
            </Card>
          ))}
        </SimpleGrid>
      )}
    </Loaded>
  );
}
