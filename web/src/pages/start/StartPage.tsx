import {
  Alert,
  Badge,
  Button,
  Group,
  Paper,
  Progress,
  ScrollArea,
  Skeleton,
  Stack,
  Text,
  ThemeIcon,
  Title,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCheck, IconConfetti } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { NewDevice } from "@/pages/devices/NewDevice";
import { PairDialog } from "@/pages/devices/PairDialog";
import { useMayManage, useSession } from "@/session/session";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { QuickHours } from "./QuickHours";
import { QuickWelcome } from "./QuickWelcome";
import classes from "./StartPage.module.css";
import { hideStart, STEPS, type Step, useStart, useStartShown } from "./useStart";

/** From nothing to the first answered message, step by step; each is ticked by what is true. */
export function StartPage() {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const account = useSession()?.account;
  const shown = useStartShown();
  const start = useStart(mayManage, 4_000);
  const [adding, add] = useDisclosure();
  const [pairing, pair] = useState<string>();
  const [chosen, choose] = useState<Step>();
  const next = STEPS.find((step) => !start.done[step]);
  const open = chosen ?? next;
  const device = start.devices.find(({ id }) => id === pairing);
  const connected = start.devices.find(({ state }) => state === "connected");
  const waiting = start.devices.find(({ state }) => state !== "connected");

  const inside: Record<Step, ReactNode> = {
    number: (
      <>
        <Text size="sm" c="dimmed">
          {t("start.number.hint")}
        </Text>
        <Group>
          {waiting ? (
            <Button onClick={() => pair(waiting.id)}>{t("start.number.connect", { name: waiting.name })}</Button>
          ) : (
            <Button onClick={add.open}>{t("devices.add")}</Button>
          )}
        </Group>
      </>
    ),
    agent: (
      <>
        <Text size="sm" c="dimmed">
          {t("start.agent.hint")}
        </Text>
        <Group>
          <Button component={Link} to="/settings/people">
            {t("start.agent.do")}
          </Button>
        </Group>
      </>
    ),
    welcome: start.bot && <QuickWelcome settings={start.bot} />,
    hours: <QuickHours />,
    answer: (
      <>
        <Text size="sm" c="dimmed">
          {t(start.wrote ? "start.answer.wrote" : "start.answer.hint")}
        </Text>
        {!start.wrote && connected?.phone && (
          <Text fw={600} size="lg">
            {phoneText(connected.phone)}
          </Text>
        )}
        <Group>
          <Button component={Link} to="/inbox">
            {t("start.answer.do")}
          </Button>
        </Group>
      </>
    ),
  };

  return (
    <ScrollArea h="100%" type="auto">
      <Stack p={{ base: "md", sm: "xl" }} gap="lg" maw={760} mx="auto">
        <div>
          <Title order={1} size="h2">
            {t("start.title")}
          </Title>
          <Text c="dimmed" size="sm">
            {t("start.subtitle", { name: account?.name })}
          </Text>
        </div>
        {!mayManage ? (
          <Alert>{t("start.adminsOnly")}</Alert>
        ) : start.error ? (
          <Failure error={start.error} reset={start.again} />
        ) : !start.ready ? (
          <Stack role="status" aria-busy aria-label={t("common.loading")}>
            {STEPS.map((step) => (
              <Skeleton key={step} h={64} />
            ))}
          </Stack>
        ) : (
          <>
            <Group gap="sm" wrap="nowrap">
              <Progress
                value={(start.count / STEPS.length) * 100}
                flex={1}
                aria-label={t("start.progress", { count: start.count, all: STEPS.length })}
              />
              <Text size="sm" c="dimmed">
                {t("start.progress", { count: start.count, all: STEPS.length })}
              </Text>
            </Group>
            {!next && (
              <Alert color="teal" icon={<IconConfetti />} title={t("start.over")} role="status">
                {t("start.overHint")}
              </Alert>
            )}
            <Stack component="ol" gap="sm" p={0} m={0} className={classes.steps}>
              {STEPS.map((step, index) => (
                <Paper
                  key={step}
                  component="li"
                  withBorder
                  p="md"
                  data-step={step}
                  data-done={start.done[step] || undefined}
                >
                  <Group gap="md" wrap="nowrap" align={open === step && !start.done[step] ? "flex-start" : "center"}>
                    <ThemeIcon
                      radius="xl"
                      size={32}
                      variant={start.done[step] ? "filled" : "light"}
                      color={start.done[step] ? "teal" : "gray"}
                    >
                      {start.done[step] ? <IconCheck size={18} /> : index + 1}
                    </ThemeIcon>
                    <Stack gap="sm" flex={1} miw={0}>
                      <Group justify="space-between" wrap="nowrap" mih={32}>
                        <Title order={2} size="h5">
                          {t(`start.${step}.title`)}
                        </Title>
                        {start.done[step] ? (
                          <Badge color="teal" variant="light" style={{ textTransform: "none", flex: "none" }}>
                            {t("start.done")}
                          </Badge>
                        ) : (
                          open !== step && (
                            <Button size="compact-sm" variant="subtle" onClick={() => choose(step)}>
                              {t("start.open")}
                            </Button>
                          )
                        )}
                      </Group>
                      {open === step && !start.done[step] && inside[step]}
                    </Stack>
                  </Group>
                </Paper>
              ))}
            </Stack>
            <Group justify="center">
              <Button
                variant="subtle"
                color="gray"
                onClick={() => account && hideStart(account.id, shown)}
                aria-pressed={!shown}
              >
                {t(shown ? "start.hide" : "start.show")}
              </Button>
            </Group>
          </>
        )}
      </Stack>
      <NewDevice opened={adding} onClose={add.close} onCreated={pair} />
      {device && <PairDialog device={device} onClose={() => pair(undefined)} />}
    </ScrollArea>
  );
}
