import { Badge, Button, Card, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { WebhookOut } from "@/api/generated";
import * as api from "@/api/webhooks";
import { Loaded } from "@/shell/Loaded";
import { useMoment } from "@/shell/time";
import { Head, ShownOnce } from "../parts";
import { WebhookDialog } from "./WebhookDialog";

const COLOR = { enabled: "teal", paused: "gray", disabled: "red" } as const;

/** The addresses that events are sent to; the secret of a new one is shown once. */
export function WebhooksPage() {
  const { t } = useTranslation();
  const webhooks = useQuery({ queryKey: ["webhooks"], queryFn: api.webhooks, refetchInterval: 15_000 });
  const [making, make] = useDisclosure();
  const [secret, show] = useState<string>();
  return (
    <section aria-label={t("webhooks.title")}>
      <Head title={t("webhooks.title")} subtitle={t("webhooks.subtitle")}>
        <Button leftSection={<IconPlus size={18} />} onClick={make.open}>
          {t("webhooks.add")}
        </Button>
      </Head>
      <Loaded query={webhooks}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("webhooks.empty")}
            </Text>
          ) : (
            <Stack gap="xs">
              {items.map((item) => (
                <Line key={item.id} item={item} />
              ))}
            </Stack>
          )
        }
      </Loaded>
      {making && <WebhookDialog onClose={make.close} onMade={show} />}
      {secret && (
        <ShownOnce
          title={t("webhooks.made")}
          hint={t("webhooks.shownOnce")}
          value={secret}
          onClose={() => show(undefined)}
        />
      )}
    </section>
  );
}

function Line({ item }: { item: WebhookOut }) {
  const { t } = useTranslation();
  const moment = useMoment();
  return (
    <Card withBorder padding="sm" component={Link} to={`/settings/webhooks/${item.id}`}>
      <Group gap={8} wrap="nowrap">
        <Text fw={600} truncate style={{ minWidth: 0 }}>
          {item.description || item.url}
        </Text>
        <Standing item={item} />
      </Group>
      <Text size="sm" c="dimmed" truncate>
        {item.url}
      </Text>
      <Group gap={6} mt={6}>
        {item.types.map((type) => (
          <Badge key={type} variant="light" color="gray" style={{ textTransform: "none" }}>
            {type === "*" ? t("webhooks.allTypes") : type}
          </Badge>
        ))}
      </Group>
      {item.failing_since && item.state !== "disabled" && (
        <Text size="sm" c="orange" mt={4}>
          {t("webhooks.failingSince", { at: moment(item.failing_since) })}
        </Text>
      )}
    </Card>
  );
}

/** Whether anything is sent there, in a word. */
export function Standing({ item }: { item: WebhookOut }) {
  const { t } = useTranslation();
  return (
    <Badge color={COLOR[item.state]} variant="light" style={{ textTransform: "none", flex: "none" }}>
      {t(`webhooks.state.${item.state}`)}
    </Badge>
  );
}
