import { Avatar, Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconExternalLink, IconMapPin } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Message } from "@/api/types";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import classes from "./Media.module.css";

/** A place, as words and a link: no map is asked for before somebody wants it. */
export function Place({ message }: { message: Message }) {
  const { t } = useTranslation();
  const place = message.location;
  if (!place) return null;
  const where = `${place.latitude.toFixed(6)},${place.longitude.toFixed(6)}`;
  return (
    <a
      className={classes.file}
      href={`https://www.openstreetmap.org/?mlat=${place.latitude}&mlon=${place.longitude}#map=17/${place.latitude}/${place.longitude}`}
      target="_blank"
      rel="noopener noreferrer nofollow"
    >
      <span className={classes.badge} style={{ "--badge": "#2b8a3e" } as never}>
        <IconMapPin size={22} aria-hidden />
      </span>
      <div className={classes.lines}>
        <Text size="sm" fw={550} lineClamp={2} dir="auto">
          {place.name || t(place.live ? "media.livePlace" : "message.kind.location")}
        </Text>
        <Text size="xs" c="dimmed" lineClamp={2} dir="auto">
          {place.address || where}
        </Text>
      </div>
      <IconExternalLink size={16} aria-label={t("media.openMap")} style={{ flex: "none" }} />
    </a>
  );
}

/** Cards of people: to be kept as contacts, or written to. */
export function Cards({ message, write }: { message: Message; write: (phone: string) => void }) {
  const { t } = useTranslation();
  const showProblem = useShowProblem();
  const keep = useMutation({
    mutationFn: ({ phone, name }: { phone: string; name: string }) => api.enterContact(phone, name),
    onSuccess: (contact) => notifications.show({ color: "teal", message: t("media.kept", { name: contact.name }) }),
    onError: showProblem,
  });
  return (
    <Stack gap={4}>
      {(message.contacts ?? []).map((card, index) => {
        const phone = card.phones?.[0];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: cards of one unchanging message
          <div key={index}>
            <div className={classes.card}>
              <Avatar name={card.name} color="initials" radius="xl" />
              <div className={classes.lines}>
                <Text size="sm" fw={550} truncate dir="auto" title={card.name}>
                  {card.name}
                </Text>
                <Text size="xs" c="dimmed" truncate>
                  {(card.phones ?? [])
                    .map((one) => (/^\+?\d+$/.test(one) ? phoneText(one.replace("+", "")) : one))
                    .join(" · ")}
                </Text>
              </div>
            </div>
            {phone && !message.from_me && (
              <Group gap={6}>
                <Button size="compact-xs" variant="light" onClick={() => write(phone)}>
                  {t("media.write")}
                </Button>
                <Button
                  size="compact-xs"
                  variant="subtle"
                  loading={keep.isPending}
                  onClick={() => keep.mutate({ phone, name: card.name })}
                >
                  {t("media.keep")}
                </Button>
              </Group>
            )}
          </div>
        );
      })}
    </Stack>
  );
}

/** A question with its answers to choose from; votes are seen on the phone alone. */
export function Poll({ message }: { message: Message }) {
  const { t } = useTranslation();
  const [question, ...options] = (message.text ?? "")
    .split("\n")
    .map((line) => line.replace(/^- /, ""))
    .filter(Boolean);
  return (
    <Stack gap={4} miw={180}>
      <Text size="sm" fw={600} dir="auto">
        {question}
      </Text>
      <ul style={{ margin: 0, paddingInlineStart: 18 }}>
        {options.map((option, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: options of one unchanging poll
          <li key={index} dir="auto">
            {option}
          </li>
        ))}
      </ul>
      <Text size="xs" c="dimmed">
        {t("media.pollHint")}
      </Text>
    </Stack>
  );
}
