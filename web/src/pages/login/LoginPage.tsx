import { Anchor, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ChangeEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { SESSION } from "@/session/session";
import { Entrance } from "./Entrance";

export function LoginPage() {
  const { t } = useTranslation();
  const { register } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const { data: meta } = useQuery({ queryKey: ["meta"], queryFn: api.meta, staleTime: Number.POSITIVE_INFINITY });
  const [values, setValues] = useState({ email: "", password: "", name: "", account: "" });
  const field = (name: keyof typeof values) => ({
    value: values[name],
    onChange: (event: ChangeEvent<HTMLInputElement>) => {
      const { value } = event.currentTarget;
      setValues((before) => ({ ...before, [name]: value }));
    },
  });
  const enter = useMutation({
    mutationFn: ({ email, password, name, account }: typeof values) =>
      register ? api.register({ email, password, name, account }) : api.login({ email, password }),
    onSuccess: async () => {
      client.removeQueries({ queryKey: SESSION });
      await navigate({ to: "/inbox" });
    },
  });

  return (
    <Entrance title={t(register ? "login.registerTitle" : "login.title")} error={enter.error}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          enter.mutate(values);
        }}
      >
        <Stack>
          {register && (
            <>
              <TextInput label={t("login.name")} autoComplete="name" required maxLength={100} {...field("name")} />
              <TextInput
                label={t("login.account")}
                autoComplete="organization"
                required
                maxLength={100}
                {...field("account")}
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
            {...field("email")}
          />
          <PasswordInput
            label={t("login.password")}
            autoComplete={register ? "new-password" : "current-password"}
            required
            minLength={register ? 8 : 1}
            {...field("password")}
          />
          <Button type="submit" loading={enter.isPending} size="md">
            {t(register ? "login.register" : "login.submit")}
          </Button>
          {!register && meta?.mail && (
            <Anchor component={Link} to="/forgot" size="sm" ta="center">
              {t("login.toForgot")}
            </Anchor>
          )}
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
        </Stack>
      </form>
    </Entrance>
  );
}
