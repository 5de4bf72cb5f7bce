import { Badge, Drawer, Group, Stack, Tabs, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconGauge, IconHistory, IconSend2, IconSettings } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Device } from "@/api/types";
import { phoneText } from "@/shell/phone";
import { useMomentOrTime } from "@/shell/time";
import { NumberHistory } from "./NumberHistory";
import { NumberOptions } from "./NumberOptions";
import { NumberPace } from "./NumberPace";
import { NumberSends } from "./NumberSends";
import { COLOR, useStanding } from "./standing";

/** All about one number: where it stands and why, what it sends and how fast, what is set of it. */
export function NumberDrawer({
  device,
  mayManage,
  onClose,
}: {
  device: Device;
  mayManage: boolean;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const narrow = useMediaQuery("(max-width: 48em)");
  const { why, remedy } = useStanding();
  const moment = useMomentOrTime();

  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={narrow ? "100%" : "lg"}
      title={device.name}
      closeButtonProps={{ "aria-label": t("number.close") }}
    >
      <Stack gap="md">
        <div>
          <Group gap="xs">
            <Badge color={COLOR[device.state]} variant="light" size="lg" style={{ textTransform: "none" }}>
              {t(`devices.state.${device.state}`)}
            </Badge>
            <Text size="sm" c="dimmed">
              {device.phone ? phoneText(device.phone) : ""}
            </Text>
          </Group>
          {why(device) && (
            <Text size="sm" mt="xs">
              {why(device)}
            </Text>
          )}
          {device.until && (
            <Text size="sm" c="red">
              {t("number.until", { at: moment(device.until) })}
            </Text>
          )}
          {remedy(device) && (
            <Text size="sm" fw={600} mt={4}>
              {remedy(device)}
            </Text>
          )}
        </div>
        <Tabs
          defaultValue="pace"
          keepMounted={false}
          styles={{ tab: { justifyContent: "center" }, tabLabel: { flex: "none" } }}
        >
          <Tabs.List grow>
            <Tabs.Tab value="pace" leftSection={!narrow && <IconGauge size={16} />} px={narrow ? 6 : undefined}>
              {t("number.tab.pace")}
            </Tabs.Tab>
            {mayManage && (
              <Tabs.Tab value="sends" leftSection={!narrow && <IconSend2 size={16} />} px={narrow ? 6 : undefined}>
                {t("number.tab.sends")}
              </Tabs.Tab>
            )}
            <Tabs.Tab value="history" leftSection={!narrow && <IconHistory size={16} />} px={narrow ? 6 : undefined}>
              {t("number.tab.history")}
            </Tabs.Tab>
            {mayManage && (
              <Tabs.Tab value="options" leftSection={!narrow && <IconSettings size={16} />} px={narrow ? 6 : undefined}>
                {t("number.tab.options")}
              </Tabs.Tab>
            )}
          </Tabs.List>
          <Tabs.Panel value="pace" pt="md">
            <NumberPace id={device.id} mayManage={mayManage} />
          </Tabs.Panel>
          <Tabs.Panel value="sends" pt="md">
            <NumberSends id={device.id} />
          </Tabs.Panel>
          <Tabs.Panel value="history" pt="md">
            <NumberHistory id={device.id} />
          </Tabs.Panel>
          <Tabs.Panel value="options" pt="md">
            <NumberOptions device={device} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </Drawer>
  );
}
