import { Badge, Button } from "@mantine/core";
import { IconLayoutKanban } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/board";
import { onFrame } from "@/realtime/frames";
import { Dot } from "@/shell/Dot";
import { useShowProblem } from "@/shell/problems";

/** The stage of a chat's lead, with the way to the board; where there is none, a lead can be made of the chat. */
export function ChatLead({ chatId, name }: { chatId: string; name: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const leads = useQuery({ queryKey: ["chat-leads", chatId], queryFn: () => api.leadsOfChat(chatId) });
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const refresh = () => void client.invalidateQueries({ queryKey: ["chat-leads"] });
  useEffect(
    () =>
      onFrame((frame) => {
        if (frame.event.startsWith("lead_")) void client.invalidateQueries({ queryKey: ["chat-leads"] });
      }),
    [client],
  );
  const make = useMutation({
    mutationFn: () => api.enterLead({ title: name.slice(0, 200), chat_id: chatId }),
    onSuccess: refresh,
    onError: showProblem,
  });
  if (!leads.data) return null;
  const lead = leads.data.items.find((one) => one.status === "open") ?? leads.data.items[0];
  const stage = pipelines.data?.items.flatMap((one) => one.stages).find((one) => one.id === lead?.stage_id);
  if (lead)
    return (
      <Badge
        component={Link}
        to="/board"
        search={{ lead: lead.id } as never}
        variant="default"
        leftSection={<Dot color={stage?.color} />}
        flex="none"
        tt="none"
        style={{ cursor: "pointer" }}
        data-testid="chat-stage"
      >
        {stage?.name ?? lead.title}
      </Badge>
    );
  return (
    <Button
      variant="subtle"
      size="compact-xs"
      flex="none"
      leftSection={<IconLayoutKanban size={14} />}
      loading={make.isPending}
      onClick={() => make.mutate()}
    >
      {t("board.newShort")}
    </Button>
  );
}
