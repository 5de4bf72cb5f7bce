import {
  Button,
  Center,
  Group,
  ScrollArea,
  Select,
  SimpleGrid,
  Skeleton,
  Stack,
  Text,
  TextInput,
  ThemeIcon,
  Title,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDeviceMobilePlus, IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Device } from "@/api/types";
import { KEYS } from "@/realtime/apply";
import { useMayManage } from "@/session/session";
import { Failure } from "@/shell/Failure";
import { DeviceCard } from "./DeviceCard";
import { DeviceGrid } from "./DeviceGrid";
import { NewDevice } from "./NewDevice";
import { NumberDrawer } from "./NumberDrawer";
import { narrowed, STANDS, type Stand, standOf } from "./narrowed";
import { PairDialog } from "./PairDialog";

/** So many are found by looking. */
const FEW = 6;
const NONE: Device[] = [];

export function DevicesPage() {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const [adding, add] = useDisclosure();
  const [pairing, setPairing] = useState<string>();
  const navigate = useNavigate();
  const { device: shown } = useSearch({ strict: false }) as { device?: string };
  const items = devices.data?.items ?? NONE;
  const device = items.find((item) => item.id === pairing);
  const [viewport, setViewport] = useState<HTMLDivElement | null>(null);
  const [sought, setSought] = useState("");
  const [stand, setStand] = useState<Stand>();
  const found = useMemo(() => narrowed(items, sought, stand), [items, sought, stand]);
  const detailed = items.find((item) => item.id === shown);

  return (
    <ScrollArea h="100%" type="auto" viewportRef={setViewport}>
      <Stack p={{ base: "md", sm: "xl" }} gap="lg" maw={1180} mx="auto">
        <Group justify="space-between" align="flex-end">
          <div>
            <Title order={1} size="h2">
              {t("devices.title")}
            </Title>
            <Text c="dimmed" size="sm">
              {t("devices.subtitle")}
            </Text>
          </div>
          {mayManage && items.length > 0 && (
            <Button leftSection={<IconPlus size={18} />} onClick={add.open}>
              {t("devices.add")}
            </Button>
          )}
        </Group>
        {!mayManage && devices.isSuccess && (
          <Text size="sm" c="dimmed">
            {t("devices.adminsOnly")}
          </Text>
        )}
        {devices.isError ? (
          <Failure error={devices.error} reset={() => void devices.refetch()} />
        ) : devices.isPending ? (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} role="status" aria-busy aria-label={t("common.loading")}>
            {[1, 2, 3].map((n) => (
              <Skeleton key={n} h={148} />
            ))}
          </SimpleGrid>
        ) : items.length === 0 ? (
          <Center py={64}>
            <Stack align="center" maw={420} ta="center">
              <ThemeIcon size={72} radius="xl" variant="light">
                <IconDeviceMobilePlus size={38} stroke={1.5} />
              </ThemeIcon>
              <Title order={2} size="h4">
                {t("devices.empty")}
              </Title>
              <Text c="dimmed" size="sm">
                {t("devices.emptyHint")}
              </Text>
              {mayManage && (
                <Button size="md" leftSection={<IconPlus size={18} />} onClick={add.open}>
                  {t("devices.add")}
                </Button>
              )}
            </Stack>
          </Center>
        ) : (
          <>
            {items.length > FEW && (
              <Group gap="sm">
                <TextInput
                  type="search"
                  flex="1 1 220px"
                  leftSection={<IconSearch size={16} />}
                  aria-label={t("devices.search")}
                  placeholder={t("devices.search")}
                  value={sought}
                  onChange={(event) => setSought(event.currentTarget.value)}
                />
                <Select
                  flex="0 1 220px"
                  aria-label={t("devices.stand.label")}
                  placeholder={`${t("devices.stand.all")} (${items.length})`}
                  data={STANDS.map((value) => ({
                    value,
                    label: `${t(`devices.stand.${value}`)} (${items.filter((item) => standOf(item) === value).length})`,
                  }))}
                  value={stand ?? null}
                  onChange={(value) => setStand((value as Stand | null) ?? undefined)}
                  clearable
                />
              </Group>
            )}
            {found.length === 0 && (
              <Text c="dimmed" size="sm" role="status">
                {t("common.nothing")}
              </Text>
            )}
            <DeviceGrid
              devices={found}
              viewport={viewport}
              card={(item) => (
                <DeviceCard
                  device={item}
                  mayManage={mayManage}
                  onPair={() => setPairing(item.id)}
                  onDetails={() => void navigate({ to: "/devices", search: { device: item.id } })}
                />
              )}
            />
          </>
        )}
      </Stack>
      <NewDevice opened={adding} onClose={add.close} onCreated={setPairing} />
      {detailed && (
        <NumberDrawer device={detailed} mayManage={mayManage} onClose={() => void navigate({ to: "/devices" })} />
      )}
      {device && <PairDialog device={device} onClose={() => setPairing(undefined)} />}
    </ScrollArea>
  );
}
