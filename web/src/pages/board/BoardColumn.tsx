import { Droppable } from "@hello-pangea/dnd";
import { Badge, Button, Group, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Column } from "@/api/board";
import { useShowProblem } from "@/shell/problems";
import classes from "./BoardPage.module.css";
import { LeadCard } from "./LeadCard";
import { useMoney } from "./money";

type Props = {
  column: Column;
  owners: Record<string, string>;
  onOpen: (id: string) => void;
  onMore: (stage: string, cursor: string) => Promise<void>;
};

/** A stage: how many leads it holds, what they are worth, and as many of them as were asked for. */
export function BoardColumn({ column, owners, onOpen, onMore }: Props) {
  const { t } = useTranslation();
  const money = useMoney();
  const showProblem = useShowProblem();
  const cursor = column.leads.next_cursor;
  const more = useMutation({ mutationFn: () => onMore(column.id, cursor ?? ""), onError: showProblem });
  return (
    <section
      className={classes.column}
      style={{ "--stage": column.color } as React.CSSProperties}
      aria-label={column.name}
      data-testid="column"
    >
      <header className={classes.columnHead}>
        <div className={classes.line}>
          <Text fw={650} size="sm" truncate component="h2" m={0}>
            {column.name}
          </Text>
          <Badge variant="light" color="gray" size="sm" flex="none" data-testid="count">
            {column.count}
          </Badge>
        </div>
        <Group gap={8} mih={20}>
          {column.totals.map((total) => (
            <Text key={total.currency} size="xs" c="dimmed" data-testid="total">
              {money(total.value, total.currency)}
              {column.kind === "open" && (
                <span title={t("board.weighted", { percent: column.probability })}>
                  {" "}
                  · {column.probability} %: {money(total.weighted, total.currency)}
                </span>
              )}
            </Text>
          ))}
        </Group>
      </header>
      <Droppable droppableId={column.id}>
        {(drop, snapshot) => (
          <div
            ref={drop.innerRef}
            {...drop.droppableProps}
            className={classes.cards}
            data-over={snapshot.isDraggingOver || undefined}
          >
            {column.leads.items.map((card, index) => (
              <LeadCard
                key={card.id}
                card={card}
                index={index}
                stage={column}
                owner={card.owner_id ? owners[card.owner_id] : undefined}
                onOpen={onOpen}
              />
            ))}
            {drop.placeholder}
            {cursor && (
              <Button variant="subtle" size="xs" fullWidth loading={more.isPending} onClick={() => more.mutate()}>
                {t("common.more")}
              </Button>
            )}
          </div>
        )}
      </Droppable>
    </section>
  );
}
