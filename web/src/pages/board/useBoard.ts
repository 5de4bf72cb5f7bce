import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import type { Board, BoardFilter, Card, Lead } from "@/api/board";
import * as api from "@/api/board";
import { asProblem } from "@/api/problem";
import { onFrame } from "@/realtime/frames";
import { findCard, placed, withLead, withMessage, withMore, without, withUnread } from "./apply";

export const LEAD = "lead";
export const BOARD = "board";
const SETTLE_MS = 1500;

/** One board as the server has it, with what others do to it as they do it, and what the user does at once. */
export function useBoard(filter: BoardFilter, pipeline: string | undefined) {
  const client = useQueryClient();
  const key = useMemo(() => [BOARD, pipeline ?? null, filter] as const, [pipeline, filter]);
  const query = useQuery({
    queryKey: key,
    queryFn: () => api.board(filter, pipeline),
    placeholderData: (former) => former,
  });
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const later = useRef<ReturnType<typeof setTimeout>>(undefined);

  const change = useCallback(
    (by: (board: Board) => Board) => client.setQueryData<Board>(key, (board) => (board ? by(board) : board)),
    [client, key],
  );
  /** Fetches the board anew once nothing has happened for a moment: what is shown is settled by the server. */
  const settle = useCallback(() => {
    clearTimeout(later.current);
    later.current = setTimeout(() => void client.invalidateQueries({ queryKey: [BOARD] }), SETTLE_MS);
  }, [client]);
  useEffect(() => () => clearTimeout(later.current), []);

  useEffect(
    () =>
      onFrame((frame) => {
        switch (frame.event) {
          case "lead_created":
          case "lead_updated":
          case "lead_moved": {
            const lead = frame.data as Lead & { evened?: boolean };
            const shown = client.getQueryData<Board>(key);
            if (shown?.pipeline.id !== lead.pipeline_id) return;
            // Whether it still matches a filter only the server knows.
            if (!filtered) change((board) => withLead(board, lead));
            settle();
            break;
          }
          case "lead_deleted":
            change((board) => without(board, (frame.data as { id: string }).id));
            break;
          case "pipeline_changed":
          case "pipeline_deleted":
          case "task_changed":
            settle();
            break;
          case "new_message":
          case "message_queued":
            change((board) => withMessage(board, frame.data as Parameters<typeof withMessage>[1]));
            break;
          case "chat_read": {
            const read = frame.data as { id: string; unread: number };
            change((board) => withUnread(board, read.id, read.unread));
            break;
          }
        }
      }),
    [client, key, change, settle, filtered],
  );

  /** Moves a card at once; what the server refuses is put back to where it says that the card is. */
  const move = useCallback(
    async (card: Card, stage: string, index: number): Promise<"moved" | "moved-on" | Error> => {
      await client.cancelQueries({ queryKey: key });
      const before = client.getQueryData<Board>(key);
      const column = before?.items.find((item) => item.id === stage);
      if (!before || !column) return "moved";
      const rest = column.leads.items.filter((item) => item.id !== card.id);
      change((board) => placed(board, card, stage, index));
      try {
        const moved = await api.moveLead(card.id, {
          stage_id: stage,
          version: card.version,
          after_id: rest[index - 1]?.id,
          before_id: rest[index]?.id,
        });
        change((board) => withLead(board, moved));
        return "moved";
      } catch (error) {
        const problem = asProblem(error);
        const now = problem.members.lead as Lead | undefined;
        change((board) => {
          const back = findCard(before, card.id);
          const undone = back ? withLead(without(board, card.id), back) : board;
          return now ? withLead(undone, now) : undone;
        });
        settle();
        return problem.code === "lead-moved-on" ? "moved-on" : problem;
      }
    },
    [client, key, change, settle],
  );

  const more = useCallback(
    async (stage: string, cursor: string) => {
      const board = client.getQueryData<Board>(key);
      if (!board) return;
      const page = await api.column(board.pipeline.id, stage, filter, cursor);
      change((now) => withMore(now, stage, page.items, page.next_cursor ?? null));
    },
    [client, key, change, filter],
  );

  return { query, change, move, more, settle };
}
