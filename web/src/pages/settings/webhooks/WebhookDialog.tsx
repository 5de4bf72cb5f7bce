import { Button, Collapse, Modal, MultiSelect, NumberInput, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as calls from "@/api/calls";
import type { WebhookOut } from "@/api/generated";
import * as api from "@/api/webhooks";
import { KEYS } from "@/realtime/apply";
import { SomeOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";

type Props = { known?: WebhookOut; onClose: () => void; onMade?: (secret: string) => void };

/** Makes an endpoint, or changes the one that is *known*. */
export function WebhookDialog({ known, onClose, onMade }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: calls.devices });
  const [url, setUrl] = useState(known?.url ?? "");
  const [description, setDescription] = useState(known?.description ?? "");
  const [types, setTypes] = useState(known?.types ?? ["*"]);
  const [numbers, setNumbers] = useState(known?.devices ?? []);
  const [format, setFormat] = useState<"clarin" | "waha">(known?.format ?? "clarin");
  const [ordered, setOrdered] = useState(known?.ordered ?? false);
  const [rate, setRate] = useState<number | string>(known?.rate_per_minute ?? "");
  const [more, { toggle }] = useDisclosure(false);
  const save = useMutation({
    mutationFn: async () => {
      const body = {
        url: url.trim(),
        description: description.trim(),
        types,
        devices: numbers.length ? numbers : null,
        format,
        ordered,
        rate_per_minute: typeof rate === "number" ? rate : null,
      };
      if (known) await api.changeWebhook(known.id, body);
      else onMade?.((await api.createWebhook(body)).secret);
    },
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["webhooks"] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t(known ? "webhooks.edit" : "webhooks.add")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("webhooks.url")}
            placeholder="https://tienda.example.com/clarin"
            type="url"
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
            maxLength={2000}
            required
            data-autofocus
          />
          <TextInput
            label={t("webhooks.description")}
            placeholder={t("webhooks.descriptionPlaceholder")}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
            maxLength={500}
          />
          <TypesPicker value={types} onChange={setTypes} />
          {(devices.data?.items.length ?? 0) > 0 && (
            <SomeOf
              label={t("webhooks.numbers")}
              placeholder={numbers.length ? undefined : t("webhooks.allNumbers")}
              data={devices.data?.items.map((device) => ({ value: device.id, label: device.name }))}
              value={numbers}
              onChange={setNumbers}
            />
          )}
          <Button
            variant="subtle"
            size="compact-sm"
            onClick={toggle}
            aria-expanded={more}
            ml={-8}
            style={{ alignSelf: "start" }}
            rightSection={more ? <IconChevronUp size={16} /> : <IconChevronDown size={16} />}
          >
            {t("webhooks.more")}
          </Button>
          <Collapse expanded={more}>
            <Stack>
              <Select
                label={t("webhooks.format")}
                description={t("webhooks.formatHint")}
                data={[
                  { value: "clarin", label: "Clarin" },
                  { value: "waha", label: "WAHA" },
                ]}
                value={format}
                onChange={(value) => setFormat(value === "waha" ? "waha" : "clarin")}
                allowDeselect={false}
              />
              <Switch
                label={t("webhooks.ordered")}
                description={t("webhooks.orderedHint")}
                checked={ordered}
                onChange={(event) => setOrdered(event.currentTarget.checked)}
              />
              <NumberInput
                label={t("webhooks.rate")}
                placeholder={t("webhooks.noLimit")}
                min={1}
                max={60_000}
                allowDecimal={false}
                value={rate}
                onChange={setRate}
              />
            </Stack>
          </Collapse>
          <Button type="submit" loading={save.isPending} disabled={!url.trim() || types.length === 0}>
            {t(known ? "common.save" : "webhooks.create")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

/** Picks types one by one, whole families (`message.*`), or all of them. */
export function TypesPicker({ value, onChange }: { value: string[]; onChange: (types: string[]) => void }) {
  const { t } = useTranslation();
  const types = useQuery({
    queryKey: ["webhooks", "types"],
    queryFn: api.eventTypes,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const names = types.data?.map((item) => item.type) ?? value.filter((type) => !type.endsWith("*"));
  const families = [...new Set(names.map((name) => name.split(".")[0]))];
  return (
    <MultiSelect
      label={t("webhooks.types")}
      data={[
        { value: "*", label: t("webhooks.allTypes") },
        ...families.map((family) => ({
          group: family ?? "",
          items: [`${family}.*`, ...names.filter((name) => name.startsWith(`${family}.`))],
        })),
      ]}
      value={value}
      onChange={(chosen) => {
        const added = chosen.find((type) => !value.includes(type));
        onChange(added === "*" ? ["*"] : chosen.length > 1 ? chosen.filter((type) => type !== "*") : chosen);
      }}
      searchable
    />
  );
}
