import { Alert, Button, Center, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { asProblem } from "@/api/problem";
import { useProblemText } from "./problems";

/** What happened, what to do, and the reference that support asks for. */
export function Failure({ error, reset }: { error?: unknown; reset?: () => void }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const problem = error === undefined ? undefined : asProblem(error);
  return (
    <Center h="100%" p="md">
      <Alert color="red" variant="light" title={t("error.title")} icon={<IconAlertTriangle />} maw={480} role="alert">
        <Stack gap="sm">
          <Text size="sm">{problem ? text(problem) : t("error.unknown")}</Text>
          {problem?.requestId && (
            <Text size="xs" c="dimmed">
              {t("common.requestId", { id: problem.requestId })}
            </Text>
          )}
          <Button variant="light" color="red" size="xs" onClick={() => (reset ? reset() : window.location.reload())}>
            {t("common.retry")}
          </Button>
        </Stack>
      </Alert>
    </Center>
  );
}
