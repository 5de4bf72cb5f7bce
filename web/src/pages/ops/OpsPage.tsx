import { ScrollArea, Stack, Tabs, Text, Title } from "@mantine/core";
import { IconBuilding, IconGridDots, IconServer, IconStack2 } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Accounts } from "./Accounts";
import classes from "./Ops.module.css";
import { Queues } from "./Queues";
import { Shards } from "./Shards";
import { Workers } from "./Workers";

/** How the installation fares, for its owner: the processes that hold the numbers, what waits in them, whose they are. */
export function OpsPage() {
  const { t } = useTranslation();
  const [part, setPart] = useState<string | null>("workers");
  return (
    <ScrollArea h="100%" type="auto">
      <Stack p={{ base: "md", sm: "xl" }} gap="lg" maw={1180} mx="auto">
        <div>
          <Title order={1} size="h2">
            {t("ops.title")}
          </Title>
          <Text c="dimmed" size="sm">
            {t("ops.subtitle")}
          </Text>
        </div>
        <Tabs value={part} onChange={setPart} keepMounted={false}>
          <Tabs.List mb="md" className={classes.parts}>
            <Tabs.Tab value="workers" leftSection={<IconServer size={18} aria-hidden />}>
              {t("ops.workers")}
            </Tabs.Tab>
            <Tabs.Tab value="shards" leftSection={<IconGridDots size={18} aria-hidden />}>
              {t("ops.shards")}
            </Tabs.Tab>
            <Tabs.Tab value="queues" leftSection={<IconStack2 size={18} aria-hidden />}>
              {t("ops.queues.title")}
            </Tabs.Tab>
            <Tabs.Tab value="accounts" leftSection={<IconBuilding size={18} aria-hidden />}>
              {t("ops.accounts")}
            </Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="workers">
            <Workers />
          </Tabs.Panel>
          <Tabs.Panel value="shards">
            <Shards />
          </Tabs.Panel>
          <Tabs.Panel value="queues">
            <Queues />
          </Tabs.Panel>
          <Tabs.Panel value="accounts">
            <Accounts />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </ScrollArea>
  );
}
