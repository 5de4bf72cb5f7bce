import { Alert, Anchor, Button, PasswordInput, Skeleton, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import * as team from "@/api/team";
import { Entrance } from "@/pages/login/Entrance";
import { SESSION } from "@/session/session";

/** Where the link of an invitation leads: it says into which account, and makes who fills it in one of its people. */
export function InvitePage() {
  const { t } = useTranslation();
  const { code } = useSearch({ from: "/invite" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const invitation = useQuery({ queryKey: ["invitation", code], queryFn: () => team.preview(code), retry: false });
  const form = useForm({ initialValues: { name: "", email: "", password: "" } });
  const setEmail = form.setFieldValue;
  const email = invitation.data?.email;
  useEffect(() => {
    if (email) setEmail("email", email);
  }, [email, setEmail]);
  const join = useMutation({
    mutationFn: (values: typeof form.values) => api.register({ ...values, invitation: code }),
    onSuccess: async () => {
      client.removeQueries({ queryKey: SESSION });
      await navigate({ to: "/inbox" });
    },
  });
  // A link that was cut off on its way leads nowhere either.
  const missing = invitation.isError && [404, 422].includes(asProblem(invitation.error).status);
  const shown = invitation.data;

  if (invitation.isPending)
    return (
      <Entrance title={t("join.title")}>
        <Skeleton h={220} aria-label={t("common.loading")} />
      </Entrance>
    );
  if (shown?.state !== "open")
    return (
      <Entrance title={t("join.title")} error={missing ? undefined : invitation.error}>
        {(missing || shown) && (
          <Alert color="yellow" role="alert">
            {t(`join.${shown?.state ?? "missing"}` as "join.missing")}
          </Alert>
        )}
        <Anchor component={Link} to="/login" size="sm" ta="center">
          {t("join.toLogin")}
        </Anchor>
      </Entrance>
    );
  return (
    <Entrance
      title={t("join.into", { account: shown.account })}
      subtitle={t("join.as", { role: t(`role.${shown.role}`) })}
      error={join.error}
    >
      <form onSubmit={form.onSubmit((values) => join.mutate(values))}>
        <Stack>
          <TextInput
            label={t("login.name")}
            autoComplete="name"
            required
            maxLength={100}
            data-autofocus
            {...form.getInputProps("name")}
          />
          <TextInput
            label={t("login.email")}
            type="email"
            autoComplete="username"
            required
            maxLength={254}
            readOnly={Boolean(shown.email)}
            description={shown.email ? t("join.fixedEmail") : undefined}
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label={t("login.password")}
            description={t("join.passwordHint")}
            autoComplete="new-password"
            required
            minLength={8}
            {...form.getInputProps("password")}
          />
          <Button type="submit" loading={join.isPending} size="md">
            {t("join.submit")}
          </Button>
          <Anchor component={Link} to="/login" size="sm" ta="center">
            {t("login.toLogin")}
          </Anchor>
        </Stack>
      </form>
    </Entrance>
  );
}
