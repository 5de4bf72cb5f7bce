import {
  Alert,
  Anchor,
  Button,
  Center,
  Code,
  Group,
  Image,
  List,
  Loader,
  Modal,
  Stack,
  Text,
  TextInput,
  ThemeIcon,
  Title,
} from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { IconCheck, IconQrcodeOff } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import type { Device } from "@/api/types";
import { type QrFrame, qrKey } from "@/realtime/useRealtime";
import { useProblemText } from "@/shell/problems";
import classes from "./PairDialog.module.css";

/** Leads from a new number to a connected one: the QR as it changes, or a code to type on the phone. */
export function PairDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const text = useProblemText();
  const [byCode, setByCode] = useState(false);
  const connect = useMutation({ mutationFn: () => api.connectDevice(device.id) });
  const start = connect.mutate;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once when the dialog opens for this number
  useEffect(() => start(), [device.id]);
  const connected = device.state === "connected";

  return (
    <Modal opened onClose={onClose} size="lg" title={t("pair.title", { name: device.name })} centered>
      {connected ? (
        <Stack align="center" py="md" role="status">
          <ThemeIcon size={72} radius="xl" color="teal">
            <IconCheck size={40} />
          </ThemeIcon>
          <Title order={3} size="h4" ta="center">
            {t("pair.connected", { name: device.name })}
          </Title>
          <Text c="dimmed" size="sm">
            {t("pair.connectedHint")}
          </Text>
          <Button onClick={() => void navigate({ to: "/inbox" })}>{t("pair.toInbox")}</Button>
        </Stack>
      ) : connect.isError ? (
        <Alert color="red" role="alert">
          <Stack gap="xs">
            {text(asProblem(connect.error))}
            <Button size="xs" variant="light" color="red" onClick={() => connect.mutate()}>
              {t("common.retry")}
            </Button>
          </Stack>
        </Alert>
      ) : (
        <Stack>
          {byCode ? <ByCode device={device} /> : <ByQr device={device} again={() => connect.mutate()} />}
          <Anchor component="button" type="button" size="sm" ta="center" onClick={() => setByCode(!byCode)}>
            {t(byCode ? "pair.byQr" : "pair.byCode")}
          </Anchor>
        </Stack>
      )}
    </Modal>
  );
}

function ByQr({ device, again }: { device: Device; again: () => void }) {
  const { t } = useTranslation();
  const { data: frame } = useQuery<QrFrame | null>({ queryKey: qrKey(device.id), queryFn: () => null, enabled: false });
  // Each frame brings another QR; the image itself comes from the API. While there is none yet, it is asked for again.
  const image = useQuery({
    queryKey: ["qr-image", device.id, frame?.qr],
    queryFn: async () => URL.createObjectURL(await api.qrImage(device.id)),
    retry: false,
    refetchInterval: (query) => (query.state.data ? false : 1000),
    gcTime: 0,
  });
  const [now, setNow] = useState(Date.now());
  useInterval(() => setNow(Date.now()), 500, { autoInvoke: true });
  const left = frame ? Math.max(0, Math.ceil((Date.parse(frame.expires_at) - now) / 1000)) : undefined;
  const over = device.state !== "pairing" && device.state !== "connecting" && device.reason === "qr-expired";

  return (
    <Group align="center" gap="xl" justify="center" className={classes.qr}>
      <Stack align="center" gap={6} maw="100%">
        <Center w={264} maw="100%" className={classes.frame}>
          {over ? (
            <Stack align="center" gap="sm">
              <IconQrcodeOff size={40} stroke={1.4} />
              <Text size="sm">{t("pair.expired")}</Text>
              <Button size="xs" onClick={again}>
                {t("pair.again")}
              </Button>
            </Stack>
          ) : image.data ? (
            <Image src={image.data} alt={t("pair.qrAlt")} w={248} maw="94%" data-testid="qr" />
          ) : (
            <Stack align="center" gap="sm">
              <Loader size="sm" />
              <Text size="sm" c="dimmed">
                {t("pair.waiting")}
              </Text>
            </Stack>
          )}
        </Center>
        <Text size="xs" c="dimmed" h={18}>
          {!over && image.data && left !== undefined ? t("pair.seconds", { count: left }) : ""}
        </Text>
      </Stack>
      <List type="ordered" spacing="sm" size="sm" className={classes.steps}>
        <List.Item>{t("pair.step1")}</List.Item>
        <List.Item>{t("pair.step2")}</List.Item>
        <List.Item>{t("pair.step3")}</List.Item>
      </List>
    </Group>
  );
}

function ByCode({ device }: { device: Device }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const [phone, setPhone] = useState("");
  const code = useMutation({ mutationFn: () => api.pairingCode(device.id, phone) });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        code.mutate();
      }}
    >
      <Stack maw={380} mx="auto">
        <TextInput
          label={t("pair.phone")}
          description={t("pair.phoneHint")}
          inputMode="tel"
          autoComplete="tel"
          value={phone}
          onChange={(event) => setPhone(event.currentTarget.value)}
          error={code.error ? text(asProblem(code.error)) : undefined}
          required
          data-autofocus
        />
        <Button type="submit" loading={code.isPending} disabled={phone.replace(/\D/g, "").length < 7}>
          {t("pair.getCode")}
        </Button>
        {code.data && (
          <Stack gap={6} align="center" role="status">
            <Text size="sm" ta="center">
              {t("pair.codeHint")}
            </Text>
            <Code fz={28} fw={700} px="md" className={classes.code}>
              {code.data.code}
            </Code>
          </Stack>
        )}
      </Stack>
    </form>
  );
}
