import "@mantine/spotlight/styles.css";
import { Avatar, Loader, useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { createSpotlight, Spotlight } from "@mantine/spotlight";
import {
  IconBell,
  IconKeyboard,
  IconLanguage,
  IconListCheck,
  IconLogout,
  IconMoon,
  IconPlus,
  IconSearch,
  IconSun,
  IconUserPlus,
} from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ComponentType, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { contacts } from "@/api/contacts";
import { LANGUAGES } from "@/i18n";
import { PARTS } from "@/pages/settings/places";
import { useMayManage, useSession, useSignOut } from "@/session/session";
import { phoneText } from "./phone";
import { OPS, PLACES } from "./places";
import { plain } from "./plain";
import { useEveryShortcut } from "./shortcuts";

/** How many contacts are shown; a longer list is the page of contacts. */
const KNOWN = 5;
const [store, actions] = createSpotlight();

type Action = { id: string; label: string; hint?: string; Icon: ComponentType<{ size?: number }>; run: () => void };

/** Everywhere and everything by a few letters: pages, what can be done, chats and contacts by name or number. */
export default function Palette({ opened, onClose, onHelp }: Props) {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const session = useSession();
  const mayManage = useMayManage();
  const signOut = useSignOut();
  const { setColorScheme } = useMantineColorScheme();
  const [query, setQuery] = useState("");
  const [q] = useDebouncedValue(query.trim(), 200);
  useEffect(() => (opened ? actions.open() : actions.close()), [opened]);
  const chats = useQuery({
    queryKey: ["palette", q],
    queryFn: () => api.chats({ q }),
    enabled: opened && q.length > 1,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });

  const known = useQuery({
    queryKey: ["palette", "contacts", q],
    queryFn: () => contacts({ q }, null, KNOWN),
    enabled: opened && q.length > 1,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });

  const go = (to: string) => () => void navigate({ to });
  const pages: Action[] = [
    ...PLACES.map(({ to, label, Icon, keys }) => ({ id: to, label: t(label), hint: keys, Icon, run: go(to) })),
    ...(session?.installation ? [{ id: OPS.to, label: t(OPS.label), Icon: OPS.Icon, run: go(OPS.to) }] : []),
    ...PARTS.filter((part) => mayManage || !part.managers).map(({ path, label, Icon }) => ({
      id: path,
      label: `${t("nav.settings")}: ${t(label)}`,
      Icon,
      run: go(path),
    })),
    { id: "/start", label: t("start.title"), Icon: IconListCheck, run: go("/start") },
  ];
  const elsewhere = useEveryShortcut().filter(({ id }) => id !== "palette" && id !== "help" && !id.startsWith("go "));
  const things: Action[] = [
    ...(mayManage
      ? [
          { id: "number", label: t("devices.add"), Icon: IconPlus, run: go("/devices") },
          { id: "invite", label: t("palette.invite"), Icon: IconUserPlus, run: go("/settings/people") },
        ]
      : []),
    ...elsewhere.map((one) => ({
      id: one.id,
      label: t(one.label),
      hint: one.keys,
      Icon: IconKeyboard,
      run: one.run,
    })),
    { id: "help", label: t("shortcuts.title"), hint: "?", Icon: IconKeyboard, run: onHelp },
    { id: "notices", label: t("settings.notices"), Icon: IconBell, run: go("/settings/notices") },
    { id: "light", label: t("palette.light"), Icon: IconSun, run: () => setColorScheme("light") },
    { id: "dark", label: t("palette.dark"), Icon: IconMoon, run: () => setColorScheme("dark") },
    ...Object.entries(LANGUAGES).map(([code, name]) => ({
      id: `language ${code}`,
      label: `${t("nav.language")}: ${name}`,
      Icon: IconLanguage,
      run: () => void i18n.changeLanguage(code),
    })),
    { id: "leave", label: t("nav.logout"), Icon: IconLogout, run: () => void signOut() },
  ];
  const words = plain(query.trim()).split(/\s+/);
  const fits = (action: Action) => words.every((word) => plain(action.label).includes(word));
  const found = q.length > 1 ? (chats.data?.items.slice(0, 8) ?? []) : [];
  const people = q.length > 1 ? (known.data?.items ?? []) : [];
  const groups = [
    { label: t("palette.pages"), items: pages.filter(fits) },
    { label: t("palette.actions"), items: things.filter(fits) },
  ].filter(({ items }) => items.length);

  return (
    <Spotlight.Root
      store={store}
      query={query}
      onQueryChange={setQuery}
      onSpotlightClose={onClose}
      shortcut={null}
      scrollable
      maxHeight="60dvh"
      clearQueryOnClose
      attributes={{ content: { "aria-label": t("shortcut.palette") } }}
      transitionProps={{ duration: 150, exitDuration: 0, transition: "pop" }}
    >
      <Spotlight.Search
        placeholder={t("palette.placeholder")}
        aria-label={t("palette.placeholder")}
        leftSection={chats.isFetching || known.isFetching ? <Loader size={16} /> : <IconSearch size={18} />}
      />
      <Spotlight.ActionsList>
        {found.length > 0 && (
          <Spotlight.ActionsGroup role="group" aria-label={t("palette.chats")} label={t("palette.chats")}>
            {found.map((chat) => {
              const phone = chat.contact?.phone ? phoneText(chat.contact.phone) : undefined;
              return (
                <Spotlight.Action
                  key={chat.id}
                  onClick={() => void navigate({ to: "/inbox/$chatId", params: { chatId: chat.id } })}
                  leftSection={<Avatar name={chat.name ?? "?"} size={28} radius="xl" color="initials" />}
                  label={chat.name ?? phone ?? t("inbox.unknown")}
                  rightSection={phone && chat.name ? phone : undefined}
                  highlightQuery
                />
              );
            })}
          </Spotlight.ActionsGroup>
        )}
        {people.length > 0 && (
          <Spotlight.ActionsGroup role="group" aria-label={t("nav.contacts")} label={t("nav.contacts")}>
            {people.map((contact) => {
              const phone = contact.phone ? phoneText(contact.phone) : undefined;
              return (
                <Spotlight.Action
                  key={contact.id}
                  onClick={() => void navigate({ to: "/contacts", search: { contact: contact.id } })}
                  leftSection={<Avatar name={contact.name ?? "?"} size={28} radius="xl" color="initials" />}
                  label={contact.name ?? phone ?? t("inbox.unknown")}
                  rightSection={phone && contact.name ? phone : undefined}
                  highlightQuery
                />
              );
            })}
          </Spotlight.ActionsGroup>
        )}
        {groups.map(({ label, items }) => (
          <Spotlight.ActionsGroup key={label} role="group" aria-label={label} label={label}>
            {items.map(({ id, label: text, hint, Icon, run }) => (
              <Spotlight.Action
                key={id}
                label={text}
                leftSection={<Icon size={20} />}
                rightSection={hint}
                onClick={run}
              />
            ))}
          </Spotlight.ActionsGroup>
        ))}
        {!groups.length && !found.length && !people.length && !chats.isFetching && !known.isFetching && (
          <Spotlight.Empty>{t("palette.nothing")}</Spotlight.Empty>
        )}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}

type Props = { opened: boolean; onClose: () => void; onHelp: () => void };
