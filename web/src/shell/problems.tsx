import { Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, type Problem } from "@/api/problem";

/** Says a problem in the user's language; the server's own words only where there is no translation. */
export function useProblemText() {
  const { t, i18n } = useTranslation();
  return useCallback(
    (problem: Problem) =>
      i18n.exists(`error.${problem.code}`)
        ? t(`error.${problem.code}` as "error.unknown")
        : problem.detail || t("error.unknown"),
    [t, i18n],
  );
}

export function useShowProblem() {
  const { t } = useTranslation();
  const text = useProblemText();
  return useCallback(
    (error: unknown) => {
      const problem = asProblem(error);
      notifications.show({
        color: "red",
        title: t("error.title"),
        message: (
          <>
            {text(problem)}
            {problem.requestId && (
              <Text size="xs" c="dimmed" mt={4}>
                {t("common.requestId", { id: problem.requestId })}
              </Text>
            )}
          </>
        ),
      });
    },
    [t, text],
  );
}
