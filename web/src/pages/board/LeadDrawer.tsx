import { Badge, Button, Divider, Drawer, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconMessage } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Board, Card } from "@/api/board";
import * as api from "@/api/board";
import { onFrame } from "@/realtime/frames";
import { Failure } from "@/shell/Failure";
import { Notebook } from "@/shell/Notebook";
import { phoneText } from "@/shell/phone";
import { useMoment } from "@/shell/time";
import { Fields } from "./lead/Fields";
import { History } from "./lead/History";
import { Tasks } from "./lead/Tasks";
import { LEAD } from "./useBoard";

type Props = {
  id: string;
  pipeline: Board["pipeline"];
  people: { id: string; name: string }[];
  onClose: () => void;
};

/** All that is known of a lead, and the way to its chat. */
export function LeadDrawer({ id, pipeline, people, onClose }: Props) {
  const { t } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const client = useQueryClient();
  const lead = useQuery({ queryKey: [LEAD, id], queryFn: () => api.lead(id), staleTime: 0 });
  useEffect(
    () =>
      onFrame((frame) => {
        const about = frame.data as { id?: string; lead_id?: string } | undefined;
        if (about?.id === id || about?.lead_id === id) void client.invalidateQueries({ queryKey: [LEAD, id] });
      }),
    [client, id],
  );
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={phone ? "100%" : 440}
      title={lead.data?.title ?? t("common.loading")}
    >
      {lead.isError ? (
        <Failure error={lead.error} reset={() => void lead.refetch()} />
      ) : lead.data ? (
        <Stack gap="md">
          <Chat lead={lead.data} />
          <Fields key={lead.data.version} lead={lead.data} pipeline={pipeline} people={people} onClose={onClose} />
          <Divider label={t("board.tasks")} labelPosition="left" />
          <Tasks lead={lead.data} />
          <Divider label={t("board.notes")} labelPosition="left" />
          <Notes lead={lead.data} people={people} />
          <Divider label={t("board.history")} labelPosition="left" />
          <History lead={lead.data} people={people} pipeline={pipeline} />
        </Stack>
      ) : (
        <Skeleton h={300} role="status" aria-busy aria-label={t("common.loading")} />
      )}
    </Drawer>
  );
}

function Chat({ lead }: { lead: Card }) {
  const { t } = useTranslation();
  const who = lead.contact?.name ?? lead.chat?.name;
  return (
    <Group justify="space-between" wrap="nowrap">
      <div style={{ minWidth: 0 }}>
        <Text fw={600} truncate dir="auto">
          {who ?? t("board.noContact")}
        </Text>
        {lead.contact?.phone && (
          <Text size="sm" c="dimmed">
            {phoneText(lead.contact.phone)}
          </Text>
        )}
      </div>
      {lead.chat && (
        <Button
          component={Link}
          to={`/inbox/${lead.chat.id}`}
          variant="light"
          leftSection={<IconMessage size={16} />}
          rightSection={lead.chat.unread > 0 ? <Badge circle>{lead.chat.unread}</Badge> : undefined}
        >
          {t("board.openChat")}
        </Button>
      )}
    </Group>
  );
}

function Notes({ lead, people }: { lead: Card } & Pick<Props, "people">) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const moment = useMoment();
  const key = [LEAD, lead.id, "notes"];
  const notes = useQuery({ queryKey: key, queryFn: () => api.notes(lead.id) });
  return (
    <Notebook
      field={t("board.newNote")}
      action={t("board.addNote")}
      most={10_000}
      add={(text) => api.addNote(lead.id, text).then(() => client.invalidateQueries({ queryKey: key }))}
      notes={(notes.data?.items ?? []).map((note) => ({
        id: note.id,
        text: note.text,
        by: [people.find(({ id }) => id === note.author_id)?.name, moment(note.at)].filter(Boolean).join(" · "),
      }))}
    />
  );
}
