import { Button, Collapse, Group, SimpleGrid, TextInput } from "@mantine/core";
import { IconAdjustmentsHorizontal } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ComponentProps, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Company } from "@/session/company";
import { Choice, named } from "./Choice";
import { EVERYWHERE, narrows, type Within } from "./within";

type Props = { within: Within; change: (within: Within) => void; company: Company };

/** Narrows a search: number, agent, tag, status, the contact's state, days. */
export function SearchFilters({ within, change, company }: Props) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const states = useQuery({
    queryKey: ["contact-states"],
    queryFn: api.contactStates,
    staleTime: 300_000,
    enabled: opened,
  });
  const count = narrows(within);
  const pick = (
    label: string,
    key: Exclude<keyof Within, "from" | "to">,
    data: ComponentProps<typeof Choice>["data"],
  ) =>
    data.length > 0 && (
      <Choice label={label} data={data} value={within[key]} onChange={(value) => change({ ...within, [key]: value })} />
    );
  const day = (label: string, key: "from" | "to") => (
    <TextInput
      size="xs"
      type="date"
      label={label}
      value={within[key]}
      {...(key === "from" ? { max: within.to } : { min: within.from })}
      onChange={(event) => change({ ...within, [key]: event.currentTarget.value })}
    />
  );
  return (
    <div>
      <Group gap={6} px={12} pt={4}>
        <Button
          size="compact-sm"
          variant={count ? "light" : "subtle"}
          leftSection={<IconAdjustmentsHorizontal size={16} aria-hidden />}
          aria-expanded={opened}
          aria-controls="search-filters"
          onClick={() => setOpened((before) => !before)}
        >
          {count ? `${t("filter.title")} (${count})` : t("filter.title")}
        </Button>
        {count > 0 && (
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => change(EVERYWHERE)}>
            {t("filter.clear")}
          </Button>
        )}
      </Group>
      <Collapse expanded={opened} id="search-filters">
        <SimpleGrid cols={2} spacing="xs" verticalSpacing="xs" px={18} py={6}>
          {company.devices.length > 1 && pick(t("filter.device"), "device", named(company.devices))}
          {pick(t("filter.agent"), "agent", [
            { value: "me", label: t("filter.view.mine") },
            { value: "none", label: t("filter.view.unassigned") },
            ...named(company.users),
          ])}
          {pick(t("filter.tag"), "tag", named(company.tags))}
          {pick(
            t("filter.state"),
            "status",
            (["open", "pending", "snoozed", "closed"] as const).map((one) => ({
              value: one,
              label: t(`inbox.status.${one}`),
            })),
          )}
          {pick(t("details.state"), "state", named(states.data?.items ?? []))}
        </SimpleGrid>
        <SimpleGrid cols={2} spacing="xs" px={18} pb={6}>
          {day(t("search.from"), "from")}
          {day(t("search.to"), "to")}
        </SimpleGrid>
      </Collapse>
    </div>
  );
}
