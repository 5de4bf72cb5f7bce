import {
  IconBell,
  IconBolt,
  IconClock,
  IconHistory,
  IconKey,
  IconRobot,
  IconShieldLock,
  IconTags,
  IconUserCircle,
  IconUsers,
  IconWebhook,
} from "@tabler/icons-react";

/** The parts of the settings, in their order; `managers`: for owners and admins alone. */
export const PARTS = [
  { path: "/settings/account", label: "settings.account", Icon: IconUserCircle, managers: false },
  { path: "/settings/notices", label: "settings.notices", Icon: IconBell, managers: false },
  { path: "/settings/people", label: "settings.people", Icon: IconUsers, managers: false },
  { path: "/settings/hours", label: "settings.hours", Icon: IconClock, managers: true },
  { path: "/settings/bot", label: "settings.bot", Icon: IconRobot, managers: true },
  { path: "/settings/replies", label: "settings.replies", Icon: IconBolt, managers: false },
  { path: "/settings/tags", label: "settings.tags", Icon: IconTags, managers: false },
  { path: "/settings/keys", label: "settings.keys", Icon: IconKey, managers: true },
  { path: "/settings/webhooks", label: "settings.webhooks", Icon: IconWebhook, managers: true },
  { path: "/settings/privacy", label: "settings.privacy", Icon: IconShieldLock, managers: true },
  { path: "/settings/activity", label: "settings.activity", Icon: IconHistory, managers: true },
] as const;
