import { Button, Collapse, Group, NumberInput, Select, Switch, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure, useMediaQuery } from "@mantine/hooks";
import { IconFilter, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { BoardFilter } from "@/api/board";
import * as api from "@/api/board";
import { useSession } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { toMinor } from "./money";

type Props = {
  filter: BoardFilter;
  onChange: (filter: BoardFilter) => void;
  people: { id: string; name: string }[];
};

const NOBODY = "nobody";
const DAY_MS = 86_400_000;

/** Which leads are shown: by words, owner, tag, worth, age, and whether they are stuck. */
export function Filters({ filter, onChange, people }: Props) {
  const { t } = useTranslation();
  const session = useSession();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const [open, { toggle }] = useDisclosure(false);
  const [text, setText] = useState(filter.q ?? "");
  const [days, setDays] = useState<string | null>(null);
  const tags = useQuery({ queryKey: ["tags"], queryFn: api.tags, staleTime: 60_000 });
  const search = useDebouncedCallback((q: string) => onChange({ ...filter, q: q.trim() || undefined }), 300);
  const worth = useDebouncedCallback(
    (value: number | string) =>
      onChange({
        ...filter,
        value_min:
          typeof value === "number" && value > 0 ? toMinor(value, session?.account.currency ?? "USD") : undefined,
      }),
    400,
  );
  const active = Object.entries(filter).filter(([name, value]) => name !== "q" && value !== undefined).length;
  const owner = filter.owned === false ? NOBODY : (filter.owner_id ?? null);
  const fields = (
    <Group gap="xs" align="center">
      <OneOf
        aria-label={t("board.owner")}
        placeholder={t("board.owner")}
        data={[
          { value: NOBODY, label: t("board.nobody") },
          ...people.map((person) => ({ value: person.id, label: person.name })),
        ]}
        value={owner}
        onChange={(value) =>
          onChange({
            ...filter,
            owned: value === NOBODY ? false : undefined,
            owner_id: value && value !== NOBODY ? value : undefined,
          })
        }
        clearable
        size="xs"
        w={150}
      />
      {(tags.data?.items.length ?? 0) > 0 && (
        <OneOf
          aria-label={t("board.tag")}
          placeholder={t("board.tag")}
          data={(tags.data?.items ?? []).map((tag) => ({ value: tag.id, label: tag.name }))}
          value={filter.tag_id ?? null}
          onChange={(value) => onChange({ ...filter, tag_id: value ?? undefined })}
          clearable
          size="xs"
          w={130}
        />
      )}
      <NumberInput
        aria-label={t("board.valueMin")}
        placeholder={t("board.valueMin")}
        min={0}
        hideControls
        onChange={worth}
        size="xs"
        w={120}
      />
      <Select
        aria-label={t("board.period")}
        placeholder={t("board.period")}
        data={["7", "30", "90"].map((value) => ({ value, label: t("board.lastDays", { count: Number(value) }) }))}
        value={days}
        onChange={(value) => {
          setDays(value);
          onChange({
            ...filter,
            since: value ? new Date(Date.now() - Number(value) * DAY_MS).toISOString() : undefined,
          });
        }}
        clearable
        size="xs"
        w={150}
      />
      <Switch
        size="xs"
        label={t("board.onlyStuck")}
        checked={filter.stuck === true}
        onChange={(event) => onChange({ ...filter, stuck: event.currentTarget.checked || undefined })}
      />
    </Group>
  );
  return (
    <>
      <Group gap="xs" mt={8} wrap={phone ? "nowrap" : "wrap"}>
        <TextInput
          aria-label={t("board.search")}
          placeholder={t("board.search")}
          leftSection={<IconSearch size={14} />}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            search(event.currentTarget.value);
          }}
          maxLength={100}
          size="xs"
          w={phone ? undefined : 250}
          flex={phone ? 1 : undefined}
        />
        {phone ? (
          <Button
            size="xs"
            variant={active ? "light" : "default"}
            leftSection={<IconFilter size={14} />}
            onClick={toggle}
            aria-expanded={open}
          >
            {active ? t("board.filtersActive", { count: active }) : t("board.filters")}
          </Button>
        ) : (
          fields
        )}
      </Group>
      {phone && <Collapse expanded={open}>{<div style={{ paddingTop: 8 }}>{fields}</div>}</Collapse>}
    </>
  );
}
