import { DragDropContext, type DropResult } from "@hello-pangea/dnd";
import { ActionIcon, Button, Group, Skeleton, Text, Title, Tooltip } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconBolt, IconChartDots, IconPlus, IconSettings } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { BoardFilter } from "@/api/board";
import * as api from "@/api/board";
import { useMayManage } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { Failure } from "@/shell/Failure";
import { useShowProblem } from "@/shell/problems";
import { findCard } from "./apply";
import { BoardColumn } from "./BoardColumn";
import classes from "./BoardPage.module.css";
import { Filters } from "./Filters";
import { LeadDrawer } from "./LeadDrawer";
import { NewLead } from "./NewLead";
import { StageSettings } from "./StageSettings";
import { LEAD, useBoard } from "./useBoard";

export const PEOPLE = ["people"] as const;

/** The Kanban: what is dragged moves at once, what others drag moves too. */
export function BoardPage() {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const showProblem = useShowProblem();
  const navigate = useNavigate();
  const { lead: opened } = useSearch({ strict: false }) as { lead?: string };
  const [pipeline, setPipeline] = useState<string>();
  const [filter, setFilter] = useState<BoardFilter>({});
  const [adding, setAdding] = useState(false);
  const [settings, setSettings] = useState(false);
  const { query, move, more, settle } = useBoard(filter, pipeline);
  const people = useQuery({ queryKey: PEOPLE, queryFn: api.people, staleTime: 5 * 60_000 });
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const owners = useMemo(
    () => Object.fromEntries((people.data ?? []).map((person) => [person.id, person.name])),
    [people.data],
  );
  const board = query.data;

  const dropped = useCallback(
    async ({ draggableId, source, destination }: DropResult) => {
      if (!destination || (source.droppableId === destination.droppableId && source.index === destination.index))
        return;
      const card = findCard(board, draggableId);
      if (!card) return;
      const outcome = await move(card, destination.droppableId, destination.index);
      if (outcome === "moved-on") notifications.show({ color: "yellow", message: t("board.movedOn") });
      else if (outcome !== "moved") showProblem(outcome);
    },
    [board, move, showProblem, t],
  );
  const open = useCallback((lead: string) => void navigate({ to: "/board", search: { lead } }), [navigate]);
  // Whoever comes by an address to a lead of another board sees it on its own.
  const home = useQuery({ queryKey: [LEAD, opened], queryFn: () => api.lead(opened ?? ""), enabled: Boolean(opened) });
  const where = home.data?.pipeline_id;
  const here = board?.pipeline.id;
  useEffect(() => {
    if (where && here && where !== here) setPipeline(where);
  }, [where, here]);

  if (query.isError && !board) return <Failure error={query.error} reset={() => void query.refetch()} />;
  const several = (pipelines.data?.items.length ?? 0) > 1;
  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <Group justify="space-between" wrap={phone ? "wrap" : "nowrap"} gap={phone ? "xs" : "sm"}>
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Title order={1} size="h3" style={{ whiteSpace: "nowrap" }}>
              {t("board.title")}
            </Title>
            {several && (
              <OneOf
                aria-label={t("board.pipeline")}
                data={(pipelines.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
                value={board?.pipeline.id ?? null}
                onChange={(value) => setPipeline(value ?? undefined)}
                allowDeselect={false}
                size="sm"
                w={phone ? 130 : 200}
              />
            )}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Tooltip label={t("board.reports")}>
              <ActionIcon
                component={Link}
                to="/board/reports"
                variant="default"
                size="lg"
                aria-label={t("board.reports")}
              >
                <IconChartDots size={18} />
              </ActionIcon>
            </Tooltip>
            <Tooltip label={t("board.rules")}>
              <ActionIcon component={Link} to="/board/rules" variant="default" size="lg" aria-label={t("board.rules")}>
                <IconBolt size={18} />
              </ActionIcon>
            </Tooltip>
            {mayManage && (
              <Tooltip label={t("board.stages")}>
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label={t("board.stages")}
                  onClick={() => setSettings(true)}
                >
                  <IconSettings size={18} />
                </ActionIcon>
              </Tooltip>
            )}
            <Button leftSection={<IconPlus size={18} />} onClick={() => setAdding(true)} disabled={!board}>
              {t(phone ? "board.newShort" : "board.new")}
            </Button>
          </Group>
        </Group>
        <Filters filter={filter} onChange={setFilter} people={people.data ?? []} />
      </div>
      <DragDropContext onDragEnd={(result) => void dropped(result)} dragHandleUsageInstructions={t("board.dragHelp")}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too */}
        <section className={classes.columns} data-testid="board" aria-label={t("board.title")} tabIndex={0}>
          {board
            ? board.items.map((column) => (
                <BoardColumn key={column.id} column={column} owners={owners} onOpen={open} onMore={more} />
              ))
            : [1, 2, 3, 4].map((n) => <Skeleton key={n} className={classes.column} h="70%" />)}
        </section>
      </DragDropContext>
      {board?.items.every((column) => column.count === 0) && (
        <Text c="dimmed" size="sm" ta="center" p="sm" role="status">
          {t(Object.values(filter).some((value) => value !== undefined) ? "board.emptyFilter" : "board.empty")}
        </Text>
      )}
      {board && adding && (
        <NewLead
          board={board}
          onClose={(made) => {
            setAdding(false);
            if (made) settle();
          }}
        />
      )}
      {board && opened && (
        <LeadDrawer
          id={opened}
          pipeline={pipelines.data?.items.find(({ id }) => id === where) ?? board.pipeline}
          people={people.data ?? []}
          onClose={() => void navigate({ to: "/board" })}
        />
      )}
      {board && settings && <StageSettings pipeline={board.pipeline} onClose={() => setSettings(false)} />}
    </div>
  );
}
