import { Button, Loader, Stack, Switch, TagsInput, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as numbers from "@/api/numbers";
import type { Device, Page } from "@/api/types";
import { KEYS, withDevice } from "@/realtime/apply";
import { Failure } from "@/shell/Failure";
import { useShowProblem } from "@/shell/problems";

/** What is set of a number besides its pace: its name, labels, proxy, and what it takes in. */
export function NumberOptions({ device }: { device: Device }) {
  const { t } = useTranslation();
  const settings = useQuery({
    queryKey: ["number", device.id, "settings"],
    queryFn: () => numbers.settings(device.id),
  });
  if (settings.isError) return <Failure error={settings.error} reset={() => void settings.refetch()} />;
  if (settings.isPending) return <Loader size="sm" aria-label={t("common.loading")} />;
  return <OptionsForm device={device} settings={settings.data} />;
}

function OptionsForm({ device, settings }: { device: Device; settings: numbers.NumberSettings }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const form = useForm({
    initialValues: {
      name: device.name,
      labels: settings.labels ?? [],
      shown_as: settings.shown_as ?? "",
      groups: settings.receive?.groups ?? false,
      proxy: "",
    },
  });
  const keep = (changed: Device) =>
    client.setQueryData<Page<Device>>(KEYS.devices, (page) => withDevice(page, changed));
  const save = useMutation({
    mutationFn: async (values: typeof form.values) => {
      if (values.name.trim() && values.name.trim() !== device.name) await numbers.rename(device.id, values.name.trim());
      const changed = await numbers.change(device.id, {
        labels: values.labels,
        shown_as: values.shown_as.trim() || null,
        ...(form.isDirty("groups") ? { receive: { groups: values.groups } } : {}),
        ...(values.proxy.trim() ? { proxy: values.proxy.trim() } : {}),
      });
      keep(await numbers.device(device.id));
      return changed;
    },
    onSuccess: (changed) => {
      client.setQueryData(["number", device.id, "settings"], changed);
      form.setFieldValue("proxy", "");
      form.resetDirty();
    },
    onError: showProblem,
  });
  const straight = useMutation({
    mutationFn: () => numbers.change(device.id, { proxy: null }),
    onSuccess: (changed) => client.setQueryData(["number", device.id, "settings"], changed),
    onError: showProblem,
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label={t("number.tab.options")}>
      <Stack gap="sm">
        <TextInput label={t("devices.name")} maxLength={100} required {...form.getInputProps("name")} />
        <TagsInput
          label={t("number.labels")}
          description={t("number.labelsHint")}
          maxTags={20}
          {...form.getInputProps("labels")}
        />
        <TextInput
          label={t("number.shownAs")}
          description={t("number.shownAsHint")}
          placeholder="Clarin"
          maxLength={30}
          {...form.getInputProps("shown_as")}
        />
        <Switch
          label={t("number.groups")}
          description={t("number.groupsHint")}
          {...form.getInputProps("groups", { type: "checkbox" })}
        />
        <TextInput
          label={t("number.proxy")}
          description={settings.proxy ? t("number.proxyIs", { proxy: settings.proxy }) : t("number.proxyHint")}
          placeholder="socks5://usuario:clave@proxy.example.com:1080"
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps("proxy")}
        />
        {settings.proxy && (
          <Button variant="default" size="xs" loading={straight.isPending} onClick={() => straight.mutate()}>
            {t("number.proxyRemove")}
          </Button>
        )}
        {settings.metadata && Object.keys(settings.metadata).length > 0 && (
          <Text size="xs" c="dimmed">
            {t("number.metadata", { count: Object.keys(settings.metadata).length })}
          </Text>
        )}
        <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
          {t("number.save")}
        </Button>
      </Stack>
    </form>
  );
}
