import type { Board, Card, Column, Lead, Stage } from "@/api/board";

/** What happens to a board, as pure functions; everything here is safe in any order and on repeats. */

const worth = (column: Column, currency: string, count: number, value: number): Column => {
  const known = column.totals.some((total) => total.currency === currency);
  const totals = known ? column.totals : [...column.totals, { currency, count: 0, value: 0, weighted: 0 }];
  return {
    ...column,
    count: column.count + count,
    totals: totals
      .map((total) =>
        total.currency === currency
          ? {
              ...total,
              count: total.count + count,
              value: total.value + value,
              weighted: Math.round(((total.value + value) * column.probability) / 100),
            }
          : total,
      )
      .filter((total) => total.count > 0),
  };
};

const withColumn = (board: Board, id: string, change: (column: Column) => Column): Board => ({
  ...board,
  items: board.items.map((column) => (column.id === id ? change(column) : column)),
});

const withCards = (column: Column, items: Card[]): Column => ({ ...column, leads: { ...column.leads, items } });

export const findCard = (board: Board | undefined, id: string): Card | undefined => {
  for (const column of board?.items ?? []) {
    const card = column.leads.items.find((item) => item.id === id);
    if (card) return card;
  }
};

/** Takes a lead off the board, and what it is worth out of its column. */
export const without = (board: Board, id: string): Board => {
  const card = findCard(board, id);
  if (!card) return board;
  return withColumn(board, card.stage_id, (column) =>
    worth(
      withCards(
        column,
        column.leads.items.filter((item) => item.id !== id),
      ),
      card.currency,
      -1,
      -card.value,
    ),
  );
};

/** Puts a lead at a place of a column, wherever it was before. */
export const placed = (board: Board, card: Card, stage: string, index: number): Board =>
  withColumn(without(board, card.id), stage, (column) => {
    const items = [...column.leads.items];
    items.splice(index, 0, { ...card, stage_id: stage, status: column.kind });
    return worth(withCards(column, items), card.currency, 1, card.value);
  });

/** Shows a lead as it is now, at the place that its rank gives it; old news changes nothing. */
export const withLead = (board: Board, lead: Lead | Card): Board => {
  const known = findCard(board, lead.id);
  if (known && known.version > lead.version) return board;
  const column = board.items.find((item) => item.id === lead.stage_id);
  if (!column) return without(board, lead.id);
  const card: Card = { ...known, ...lead };
  const rest = column.leads.items.filter((item) => item.id !== lead.id);
  const place = rest.findIndex((item) => item.rank > lead.rank);
  // Behind all that are shown of a column that goes on: it stands on a page that has not been asked for.
  if (place === -1 && column.leads.next_cursor && !known)
    return withColumn(without(board, lead.id), column.id, (other) => worth(other, lead.currency, 1, lead.value));
  return placed(board, card, lead.stage_id, place === -1 ? rest.length : place);
};

/** Adds the next part of a column. */
export const withMore = (board: Board, stage: string, items: Card[], next: string | null): Board =>
  withColumn(board, stage, (column) => {
    const known = new Set(column.leads.items.map((item) => item.id));
    return {
      ...column,
      leads: { items: [...column.leads.items, ...items.filter((item) => !known.has(item.id))], next_cursor: next },
    };
  });

type Message = { id: string; chat_id: string; at: string; kind: string; text?: string | null; from_me: boolean };

/** Shows a chat's newest message on its cards, and that it is unread where a customer wrote it. */
export const withMessage = (board: Board, message: Message): Board => ({
  ...board,
  items: board.items.map((column) =>
    withCards(
      column,
      column.leads.items.map((card) => {
        const last = card.chat?.last_message;
        if (card.chat?.id !== message.chat_id || last?.id === message.id || (last && last.at > message.at)) return card;
        const unread = card.chat.unread + (message.from_me ? 0 : 1);
        return { ...card, chat: { ...card.chat, unread, last_message: { ...message, text: message.text ?? null } } };
      }),
    ),
  ),
});

export const withUnread = (board: Board, chat: string, unread: number): Board => ({
  ...board,
  items: board.items.map((column) =>
    withCards(
      column,
      column.leads.items.map((card) => (card.chat?.id === chat ? { ...card, chat: { ...card.chat, unread } } : card)),
    ),
  ),
});

/** Tells whether a lead has been in its stage for longer than the stage allows. */
export const stuck = (card: Card, stage: Stage, now: number): boolean =>
  stage.kind === "open" &&
  typeof stage.rotting_days === "number" &&
  now - Date.parse(card.stage_since) > stage.rotting_days * 86_400_000;

/** Tells whether the day and hour by which something is to be done have passed. */
export const overdue = (due: string | null | undefined, now: number): boolean => !!due && Date.parse(due) < now;
