import { Alert, Anchor, Button, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as team from "@/api/team";
import { Entrance } from "@/pages/login/Entrance";

/** Asks for a link to a new password; whether anybody has the address is not said. */
export function ForgotPage() {
  const { t } = useTranslation();
  const [email, setEmail] = useState("");
  const ask = useMutation({ mutationFn: () => team.forgot(email) });
  return (
    <Entrance title={t("forgot.title")} subtitle={t("forgot.subtitle")} error={ask.error}>
      {ask.isSuccess ? (
        <Alert color="teal" role="status">
          {t("forgot.sent", { email })}
        </Alert>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate();
          }}
        >
          <Stack>
            <TextInput
              label={t("login.email")}
              type="email"
              autoComplete="username"
              required
              maxLength={254}
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              data-autofocus
            />
            <Button type="submit" loading={ask.isPending} size="md">
              {t("forgot.submit")}
            </Button>
          </Stack>
        </form>
      )}
      <Anchor component={Link} to="/login" size="sm" ta="center">
        {t("forgot.back")}
      </Anchor>
    </Entrance>
  );
}
