import { ActionIcon, Badge, Button, Card, Code, Group, Menu, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDots, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { KeyOut } from "@/api/generated";
import * as team from "@/api/team";
import { Loaded } from "@/shell/Loaded";
import { useMoment } from "@/shell/time";
import { Head, Removal, ShownOnce } from "../parts";
import { NewKeyDialog, RotateDialog } from "./KeyDialogs";

/** The keys by which programs call the API: made, rotated and revoked here, their secrets shown once. */
export function KeysPage() {
  const { t } = useTranslation();
  const keys = useQuery({ queryKey: ["keys"], queryFn: team.keys });
  const [making, make] = useDisclosure();
  const [rotating, rotate] = useState<KeyOut>();
  const [revoking, revoke] = useState<KeyOut>();
  const [secret, show] = useState<string>();
  return (
    <section aria-label={t("keys.title")}>
      <Head title={t("keys.title")} subtitle={t("keys.subtitle")}>
        <Button leftSection={<IconPlus size={18} />} onClick={make.open}>
          {t("keys.add")}
        </Button>
      </Head>
      <Loaded query={keys}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("keys.empty")}
            </Text>
          ) : (
            <Stack gap="xs">
              {items.map((item) => (
                <Key key={item.id} item={item} onRotate={() => rotate(item)} onRevoke={() => revoke(item)} />
              ))}
            </Stack>
          )
        }
      </Loaded>
      {making && <NewKeyDialog onClose={make.close} onMade={show} />}
      {rotating && <RotateDialog known={rotating} onClose={() => rotate(undefined)} onMade={show} />}
      {revoking && <Revoke known={revoking} onClose={() => revoke(undefined)} />}
      {secret && (
        <ShownOnce title={t("keys.made")} hint={t("keys.shownOnce")} value={secret} onClose={() => show(undefined)} />
      )}
    </section>
  );
}

function Key({ item, onRotate, onRevoke }: { item: KeyOut; onRotate: () => void; onRevoke: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const over = item.expires_at !== null && Date.parse(item.expires_at) <= Date.now();
  return (
    <Card withBorder padding="sm" component="article" aria-label={item.name}>
      <Group wrap="nowrap" align="flex-start">
        <div style={{ minWidth: 0, flex: 1 }}>
          <Group gap={6}>
            <Text fw={600} truncate>
              {item.name}
            </Text>
            <Code>{item.prefix}…</Code>
            {over && (
              <Badge color="red" variant="light" style={{ textTransform: "none" }}>
                {t("keys.expired")}
              </Badge>
            )}
          </Group>
          <Group gap={6} my={4}>
            {item.scopes.map((scope) => (
              <Badge key={scope} variant="light" color="gray" style={{ textTransform: "none" }}>
                {t(`keys.scope.${scope}`)}
              </Badge>
            ))}
          </Group>
          <Text size="sm" c="dimmed">
            {[
              t(`role.${item.role}`),
              item.devices ? t("people.someNumbers", { count: item.devices.length }) : t("people.allNumbers"),
              item.last_used_at ? t("keys.used", { at: moment(item.last_used_at) }) : t("keys.unused"),
              item.expires_at ? t("keys.until", { at: moment(item.expires_at) }) : t("keys.forever"),
              item.previous_until ? t("keys.overlap", { at: moment(item.previous_until) }) : undefined,
            ]
              .filter(Boolean)
              .join(" · ")}
          </Text>
        </div>
        <Menu position="bottom-end" withArrow>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={t("keys.actions", { name: item.name })}>
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={onRotate}>{t("keys.rotate")}</Menu.Item>
            <Menu.Item color="red" onClick={onRevoke}>
              {t("keys.revoke")}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
    </Card>
  );
}

function Revoke({ known, onClose }: { known: KeyOut; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Removal
      title={t("keys.revokeTitle", { name: known.name })}
      text={t("keys.revokeText")}
      action={t("keys.revoke")}
      remove={() => team.revokeKey(known.id)}
      lists={["keys"]}
      onClose={onClose}
    />
  );
}
