import { Alert, Anchor, Box, Group, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "@/api/problem";
import { LANGUAGES } from "@/i18n";
import { useProblemText } from "@/shell/problems";
import classes from "./LoginPage.module.css";

/** What everybody sees who is not signed in: what Clarin is beside one small form, and the languages below it. */
export function Entrance({ title, subtitle, error, children }: Props) {
  const { t, i18n } = useTranslation();
  const text = useProblemText();
  const problem = error ? asProblem(error) : undefined;
  return (
    <Box className={classes.page}>
      <Box className={classes.pitch} aria-hidden>
        <img src="/icon.svg" alt="" width={56} height={56} />
        <Title order={2} className={classes.headline}>
          {t("login.headline")}
        </Title>
        <Text size="lg" opacity={0.9} maw={420}>
          {t("login.pitch")}
        </Text>
      </Box>
      <Box component="main" className={classes.side}>
        <Stack w="100%" maw={380}>
          <div>
            <Group gap="xs" mb="lg" className={classes.brand}>
              <img src="/icon.svg" alt="" width={36} height={36} />
              <Text fw={700} size="xl">
                Clarin
              </Text>
            </Group>
            <Title order={1} size="h2">
              {title}
            </Title>
            <Text c="dimmed" size="sm">
              {subtitle ?? t("app.tagline")}
            </Text>
          </div>
          {problem && (
            <Alert color="red" role="alert">
              {text(problem)}
              {problem.requestId && problem.status >= 500 && (
                <Text size="xs" mt={4}>
                  {t("common.requestId", { id: problem.requestId })}
                </Text>
              )}
            </Alert>
          )}
          {children}
          <Group justify="center" gap="md" mt="md">
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <Anchor
                key={code}
                component="button"
                type="button"
                size="xs"
                c={i18n.language.startsWith(code) ? "bright" : "dimmed"}
                aria-current={i18n.language.startsWith(code)}
                onClick={() => void i18n.changeLanguage(code)}
              >
                {name}
              </Anchor>
            ))}
          </Group>
        </Stack>
      </Box>
    </Box>
  );
}

type Props = { title: string; subtitle?: string | undefined; error?: unknown; children: ReactNode };
