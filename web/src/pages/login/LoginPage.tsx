import { Alert, Anchor, Box, Button, Group, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import { LANGUAGES } from "@/i18n";
import { SESSION } from "@/session/session";
import { useProblemText } from "@/shell/problems";
import classes from "./LoginPage.module.css";

export function LoginPage() {
  const { t, i18n } = useTranslation();
  const { register } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const text = useProblemText();
  const { data: meta } = useQuery({ queryKey: ["meta"], queryFn: api.meta, staleTime: Number.POSITIVE_INFINITY });
  const form = useForm({ initialValues: { email: "", password: "", name: "", account: "" } });
  const enter = useMutation({
    mutationFn: ({ email, password, name, account }: typeof form.values) =>
      register ? api.register({ email, password, name, account }) : api.login({ email, password }),
    onSuccess: async () => {
      client.removeQueries({ queryKey: SESSION });
      await navigate({ to: "/inbox" });
    },
  });
  const problem = enter.error ? asProblem(enter.error) : undefined;

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
        <Box component="form" w="100%" maw={380} onSubmit={form.onSubmit((values) => enter.mutate(values))}>
          <Stack>
            <div>
              <Group gap="xs" mb="lg" className={classes.brand}>
                <img src="/icon.svg" alt="" width={36} height={36} />
                <Text fw={700} size="xl">
                  Clarin
                </Text>
              </Group>
              <Title order={1} size="h2">
                {t(register ? "login.registerTitle" : "login.title")}
              </Title>
              <Text c="dimmed" size="sm">
                {t("app.tagline")}
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
            {register && (
              <>
                <TextInput
                  label={t("login.name")}
                  autoComplete="name"
                  required
                  maxLength={100}
                  {...form.getInputProps("name")}
                />
                <TextInput
                  label={t("login.account")}
                  autoComplete="organization"
                  required
                  maxLength={100}
                  {...form.getInputProps("account")}
                />
              </>
            )}
            <TextInput
              label={t("login.email")}
              type="email"
              autoComplete="username"
              required
              maxLength={254}
              data-autofocus
              {...form.getInputProps("email")}
            />
            <PasswordInput
              label={t("login.password")}
              autoComplete={register ? "new-password" : "current-password"}
              required
              minLength={register ? 8 : 1}
              {...form.getInputProps("password")}
            />
            <Button type="submit" loading={enter.isPending} size="md">
              {t(register ? "login.register" : "login.submit")}
            </Button>
            {(register || meta?.registration !== "closed") && (
              <Anchor
                component={Link}
                to="/login"
                search={(register ? {} : { register: true }) as never}
                size="sm"
                ta="center"
                onClick={() => enter.reset()}
              >
                {t(register ? "login.toLogin" : "login.toRegister")}
              </Anchor>
            )}
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
    </Box>
  );
}
