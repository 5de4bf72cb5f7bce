import {
  IconAddressBook,
  IconChartBar,
  IconDeviceMobile,
  IconLayoutKanban,
  IconMessages,
  IconServerCog,
  IconSettings,
} from "@tabler/icons-react";

/**
 * Where one can be, in the order of the rail. `bar`: at hand on a phone, where there is room for four beside what opens
 * the others. `keys`: how it is gone to.
 */
export const PLACES = [
  { to: "/inbox", label: "nav.inbox", Icon: IconMessages, bar: true, keys: "g i", key: "shortcut.goInbox" },
  { to: "/board", label: "nav.board", Icon: IconLayoutKanban, bar: true, keys: "g b", key: "shortcut.goBoard" },
  {
    to: "/contacts",
    label: "nav.contacts",
    Icon: IconAddressBook,
    bar: true,
    keys: "g c",
    key: "shortcut.goContacts",
  },
  { to: "/devices", label: "nav.devices", Icon: IconDeviceMobile, bar: true, keys: "g n", key: "shortcut.goDevices" },
  {
    to: "/dashboard",
    label: "nav.dashboard",
    Icon: IconChartBar,
    bar: false,
    keys: "g d",
    key: "shortcut.goDashboard",
  },
  { to: "/settings", label: "nav.settings", Icon: IconSettings, bar: false, keys: "g s", key: "shortcut.goSettings" },
] as const;

/** What only the owner of the installation sees. */
export const OPS = { to: "/ops", label: "nav.ops", Icon: IconServerCog } as const;

/** What the bar of a phone has no room for. */
export const elsewhere = (installation?: boolean) => [
  ...PLACES.filter(({ bar }) => !bar),
  ...(installation ? [OPS] : []),
];
