import { Alert, Anchor, Button, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import * as team from "@/api/team";
import { Entrance } from "@/pages/login/Entrance";

/** Where the link of a mail leads: it sets another password, once. */
export function ResetPage() {
  const { t } = useTranslation();
  const { token } = useSearch({ from: "/reset" });
  const form = useForm({
    initialValues: { password: "", again: "" },
    validate: { again: (value, all) => (value === all.password ? null : t("reset.differ")) },
  });
  const set = useMutation({ mutationFn: () => team.reset(token, form.values.password) });
  return (
    <Entrance title={t("reset.title")} subtitle={t("reset.subtitle")} error={set.error}>
      {set.isSuccess ? (
        <Stack>
          <Alert color="teal" role="status">
            {t("reset.done")}
          </Alert>
          <Button component={Link} to="/login" size="md">
            {t("login.submit")}
          </Button>
        </Stack>
      ) : !token ? (
        <Alert color="yellow" role="alert">
          {t("reset.missing")}
        </Alert>
      ) : (
        <form onSubmit={form.onSubmit(() => set.mutate())}>
          <Stack>
            <PasswordInput
              label={t("reset.password")}
              description={t("join.passwordHint")}
              autoComplete="new-password"
              required
              minLength={8}
              data-autofocus
              {...form.getInputProps("password")}
            />
            <PasswordInput
              label={t("reset.again")}
              autoComplete="new-password"
              required
              {...form.getInputProps("again")}
            />
            <Button type="submit" loading={set.isPending} size="md">
              {t("reset.submit")}
            </Button>
          </Stack>
        </form>
      )}
      <Anchor component={Link} to="/forgot" size="sm" ta="center">
        {t("reset.another")}
      </Anchor>
    </Entrance>
  );
}
