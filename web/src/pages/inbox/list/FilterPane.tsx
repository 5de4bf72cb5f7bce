import { Badge, Button, NavLink, Stack, Switch, Text } from "@mantine/core";
import {
  IconClock,
  IconInbox,
  IconMoon,
  IconProgress,
  IconSquareCheck,
  IconUser,
  IconUserQuestion,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Counts } from "@/api/inbox";
import type { Company } from "@/session/company";
import { Choice, named } from "./Choice";
import { type Chosen, narrowed, START } from "./filters";

const VIEWS = [
  { view: "mine", Icon: IconUser, count: "mine" },
  { view: "unassigned", Icon: IconUserQuestion, count: "unassigned" },
  { view: "all", Icon: IconInbox, count: undefined },
] as const;
const STATUSES = [
  { status: "open", Icon: IconProgress, count: "open" },
  { status: "pending", Icon: IconClock, count: "pending" },
  { status: "snoozed", Icon: IconMoon, count: "snoozed" },
  { status: "closed", Icon: IconSquareCheck, count: undefined },
  { status: "any", Icon: IconInbox, count: undefined },
] as const;

type Props = { chosen: Chosen; choose: (next: Chosen) => void; company: Company; counts: Counts | undefined };

/** Which chats are to be seen. */
export function FilterPane({ chosen, choose, company, counts }: Props) {
  const { t } = useTranslation();
  const said = (key: keyof Counts | undefined) => {
    const count = key && counts?.[key];
    if (!count) return undefined;
    return (
      <Badge size="sm" variant="light" color="gray" aria-hidden>
        {count >= (counts?.most ?? 1000) ? `${counts?.most}+` : count}
      </Badge>
    );
  };
  const pick = (label: string, key: "device" | "agent" | "team" | "tag", items: { id: string; name: string }[]) =>
    items.length > (key === "device" ? 1 : 0) && (
      <Choice
        label={label}
        data={named(items)}
        value={chosen[key]}
        onChange={(value) => choose({ ...chosen, [key]: value })}
      />
    );
  return (
    <Stack gap="sm">
      <fieldset aria-label={t("filter.whose")} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
        {VIEWS.map(({ view, Icon, count }) => (
          <NavLink
            key={view}
            component="button"
            label={t(`filter.view.${view}`)}
            leftSection={<Icon size={17} aria-hidden />}
            rightSection={said(count)}
            active={!chosen.agent && chosen.view === view}
            aria-pressed={!chosen.agent && chosen.view === view}
            onClick={() => choose({ ...chosen, view, agent: null })}
            bdrs="sm"
            px={8}
            py={6}
          />
        ))}
      </fieldset>
      <fieldset aria-label={t("filter.state")} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
        <Text size="xs" c="dimmed" fw={600} px={8} pb={2}>
          {t("filter.state")}
        </Text>
        {STATUSES.map(({ status, Icon, count }) => (
          <NavLink
            key={status}
            component="button"
            label={t(`inbox.status.${status}`)}
            leftSection={<Icon size={17} aria-hidden />}
            rightSection={said(count)}
            active={chosen.status === status}
            aria-pressed={chosen.status === status}
            onClick={() => choose({ ...chosen, status })}
            bdrs="sm"
            px={8}
            py={6}
          />
        ))}
      </fieldset>
      <Stack gap={8} px={8}>
        <Switch
          size="xs"
          label={t("filter.unread")}
          checked={chosen.unread}
          onChange={(event) => choose({ ...chosen, unread: event.currentTarget.checked })}
        />
        <Switch
          size="xs"
          label={t("filter.pinned")}
          checked={chosen.pinned}
          onChange={(event) => choose({ ...chosen, pinned: event.currentTarget.checked })}
        />
        {pick(t("filter.device"), "device", company.devices)}
        {pick(t("filter.agent"), "agent", company.users)}
        {pick(t("filter.team"), "team", company.teams)}
        {pick(t("filter.tag"), "tag", company.tags)}
        {narrowed(chosen) > 0 && (
          <Button
            size="compact-xs"
            variant="subtle"
            onClick={() => choose({ ...START, view: chosen.view, status: chosen.status })}
          >
            {t("filter.clear")}
          </Button>
        )}
      </Stack>
    </Stack>
  );
}
