import { Alert, Button, Group, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import { answered, leave } from "@/session/again";
import { useSession } from "@/session/session";
import { useProblemText } from "./problems";

/** Asks for the password above the page when the session has run out; what was being written stays where it is. */
export default function SignInAgain() {
  const { t } = useTranslation();
  const text = useProblemText();
  const session = useSession();
  const [password, setPassword] = useState("");
  const enter = useMutation({
    mutationFn: () => api.login({ email: session?.user.email ?? "", password }),
    onSuccess: () => answered(true),
  });
  // Another tab may have been faster. Somebody else there is somebody else's page.
  useEffect(() => {
    const look = async () => {
      if (document.visibilityState !== "visible") return;
      const now = await fetch("/api/auth/me").catch(() => undefined);
      if (!now?.ok) return;
      const me = (await now.json()) as { user: { id: string } };
      if (me.user.id === session?.user.id) answered(true);
      else window.location.assign("/");
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [session?.user.id]);

  return (
    <Modal
      opened
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t("again.title")}
      centered
      zIndex={1000}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (password) enter.mutate();
        }}
      >
        <Stack>
          <Text size="sm">{t("again.text")}</Text>
          {enter.error && (
            <Alert color="red" role="alert">
              {text(asProblem(enter.error))}
            </Alert>
          )}
          <input
            type="text"
            name="username"
            autoComplete="username"
            value={session?.user.email ?? ""}
            readOnly
            hidden
          />
          <PasswordInput
            label={t("again.password", { email: session?.user.email })}
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            required
            data-autofocus
          />
          <Group justify="space-between">
            <Button
              variant="subtle"
              color="gray"
              onClick={() => {
                leave();
                window.location.assign("/login");
              }}
            >
              {t("again.other")}
            </Button>
            <Button type="submit" loading={enter.isPending}>
              {t("again.submit")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
