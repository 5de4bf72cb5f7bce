import { ActionIcon, Badge, Button, Card, Group, Menu, Modal, Stack, Text } from "@mantine/core";
import { IconDots, IconLinkOff, IconPlugConnected, IconPlugConnectedX, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Device, Page } from "@/api/types";
import { KEYS, withDevice } from "@/realtime/apply";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useMomentOrTime } from "@/shell/time";
import { COLOR, useStanding } from "./standing";

type Ask = "logout" | "delete";

type Props = { device: Device; mayManage: boolean; onPair: () => void; onDetails: () => void };

export function DeviceCard({ device, mayManage, onPair, onDetails }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const { why, remedy } = useStanding();
  const moment = useMomentOrTime();
  const [ask, setAsk] = useState<Ask>();
  const act = useMutation({
    mutationFn: async (action: "connect" | "disconnect" | Ask) => {
      if (action === "delete") {
        await api.deleteDevice(device.id);
        client.setQueryData<Page<Device>>(KEYS.devices, (page) =>
          page ? { ...page, items: page.items.filter((item) => item.id !== device.id) } : page,
        );
        return;
      }
      const order = { connect: api.connectDevice, disconnect: api.disconnectDevice, logout: api.unlinkDevice }[action];
      const changed = await order(device.id);
      client.setQueryData<Page<Device>>(KEYS.devices, (page) => withDevice(page, changed));
    },
    onError: showProblem,
  });
  const unlinked = device.state === "new" || device.state === "logged_out" || device.state === "pairing";
  const idle = unlinked || ["disconnected", "replaced", "failed"].includes(device.state);

  return (
    <Card withBorder padding="lg" component="article" aria-label={device.name}>
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <div style={{ minWidth: 0 }}>
            <Text fw={600} truncate title={device.name}>
              {device.name}
            </Text>
            <Text size="sm" c="dimmed">
              {device.phone ? phoneText(device.phone) : "—"}
            </Text>
          </div>
          {mayManage && (
            <Menu position="bottom-end" withArrow>
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" aria-label={t("devices.actions", { name: device.name })}>
                  <IconDots size={18} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                {!idle && (
                  <Menu.Item leftSection={<IconPlugConnectedX size={16} />} onClick={() => act.mutate("disconnect")}>
                    {t("devices.disconnect")}
                  </Menu.Item>
                )}
                {!unlinked && (
                  <Menu.Item leftSection={<IconLinkOff size={16} />} onClick={() => setAsk("logout")}>
                    {t("devices.logout")}
                  </Menu.Item>
                )}
                <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => setAsk("delete")}>
                  {t("devices.delete")}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
        <Badge color={COLOR[device.state]} variant="light" size="lg" style={{ textTransform: "none" }} role="status">
          {t(`devices.state.${device.state}`)}
        </Badge>
        {device.state !== "connected" && (
          <div>
            <Text size="xs" c="dimmed">
              {why(device)}
            </Text>
            {device.until && (
              <Text size="xs" c="dimmed">
                {t("number.until", { at: moment(device.until) })}
              </Text>
            )}
            {remedy(device) && (
              <Text size="xs" fw={600}>
                {remedy(device)}
              </Text>
            )}
          </div>
        )}
        {(device.labels ?? []).length > 0 && (
          <Group gap={4}>
            {(device.labels ?? []).map((label) => (
              <Badge key={label} size="sm" variant="outline" color="gray" style={{ textTransform: "none" }}>
                {label}
              </Badge>
            ))}
          </Group>
        )}
        <Group mt="auto" gap="xs" grow>
          <Button
            variant="default"
            size="xs"
            onClick={onDetails}
            aria-label={t("number.detailsOf", { name: device.name })}
          >
            {t("number.details")}
          </Button>
          {mayManage && idle && (
            <Button
              variant="light"
              size="xs"
              leftSection={<IconPlugConnected size={16} />}
              loading={act.isPending}
              onClick={() => (unlinked ? onPair() : act.mutate("connect"))}
            >
              {t("devices.connect")}
            </Button>
          )}
        </Group>
      </Stack>
      <Modal
        opened={ask !== undefined}
        onClose={() => setAsk(undefined)}
        title={t(ask === "delete" ? "devices.deleteTitle" : "devices.logoutTitle", { name: device.name })}
        centered
      >
        <Stack>
          <Text size="sm">{t(ask === "delete" ? "devices.deleteText" : "devices.logoutText")}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsk(undefined)} data-autofocus>
              {t("common.cancel")}
            </Button>
            <Button
              color="red"
              onClick={() => {
                if (ask) act.mutate(ask);
                setAsk(undefined);
              }}
            >
              {t(ask === "delete" ? "devices.delete" : "devices.logout")}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Card>
  );
}
