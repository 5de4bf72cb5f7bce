import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { told } from "./i18n";
import { sessionQuery } from "./session/session";
import { Failure } from "./shell/Failure";

const root = createRootRouteWithContext<{ client: QueryClient }>()({ component: Outlet, errorComponent: Failure });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { register?: boolean } =>
    search.register ? { register: true } : {},
  component: lazyRouteComponent(() => import("./pages/login/LoginPage"), "LoginPage"),
});

const text = (value: unknown) => (typeof value === "string" ? value : "");

const invite = createRoute({
  getParentRoute: () => root,
  path: "/invite",
  validateSearch: (search: Record<string, unknown>) => ({ code: text(search.code) }),
  component: lazyRouteComponent(
    told(() => import("./pages/join/InvitePage")),
    "InvitePage",
  ),
});

const forgot = createRoute({
  getParentRoute: () => root,
  path: "/forgot",
  component: lazyRouteComponent(
    told(() => import("./pages/join/ForgotPage")),
    "ForgotPage",
  ),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset",
  validateSearch: (search: Record<string, unknown>) => ({ token: text(search.token) }),
  component: lazyRouteComponent(
    told(() => import("./pages/join/ResetPage")),
    "ResetPage",
  ),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ context }) => {
    if (!(await context.client.ensureQueryData(sessionQuery))) throw redirect({ to: "/login" });
  },
  component: lazyRouteComponent(() => import("./shell/Shell"), "Shell"),
  errorComponent: Failure,
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/inbox" });
  },
});

// One page for both, which draws the chat too: whoever opens one finds the list as it was.
const inboxes = createRoute({
  getParentRoute: () => shell,
  id: "inboxes",
  component: lazyRouteComponent(() => import("./pages/inbox/InboxPage"), "InboxPage"),
});
const drawn = () => null;

const inbox = createRoute({
  getParentRoute: () => inboxes,
  path: "/inbox",
  component: drawn,
});

const conversation = createRoute({
  getParentRoute: () => inboxes,
  path: "/inbox/$chatId",
  component: drawn,
});

const board = createRoute({
  getParentRoute: () => shell,
  path: "/board",
  validateSearch: (search: Record<string, unknown>): { lead?: string } =>
    typeof search.lead === "string" ? { lead: search.lead } : {},
  component: lazyRouteComponent(
    told(() => import("./pages/board/BoardPage")),
    "BoardPage",
  ),
});

const contacts = createRoute({
  getParentRoute: () => shell,
  path: "/contacts",
  validateSearch: (search: Record<string, unknown>): { contact?: string } =>
    typeof search.contact === "string" ? { contact: search.contact } : {},
  component: lazyRouteComponent(
    told(() => import("./pages/contacts/ContactsPage")),
    "ContactsPage",
  ),
});

const dashboard = createRoute({
  getParentRoute: () => shell,
  path: "/dashboard",
  validateSearch: (search: Record<string, unknown>): { span?: unknown; first?: unknown; last?: unknown } => search,
  component: lazyRouteComponent(
    told(() => import("./pages/dashboard/DashboardPage")),
    "DashboardPage",
  ),
});

const devices = createRoute({
  getParentRoute: () => shell,
  path: "/devices",
  validateSearch: (search: Record<string, unknown>): { device?: string } =>
    typeof search.device === "string" ? { device: search.device } : {},
  component: lazyRouteComponent(
    told(() => import("./pages/devices/DevicesPage")),
    "DevicesPage",
  ),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/SettingsPage")),
    "SettingsPage",
  ),
});

const settingsHome = createRoute({
  getParentRoute: () => settings,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/settings/account" });
  },
});

const account = createRoute({
  getParentRoute: () => settings,
  path: "/account",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/account/AccountPage")),
    "AccountPage",
  ),
});

const people = createRoute({
  getParentRoute: () => settings,
  path: "/people",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/people/PeoplePage")),
    "PeoplePage",
  ),
});

const bot = createRoute({
  getParentRoute: () => settings,
  path: "/bot",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/bot/BotPage")),
    "BotPage",
  ),
});

const keys = createRoute({
  getParentRoute: () => settings,
  path: "/keys",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/keys/KeysPage")),
    "KeysPage",
  ),
});

const activity = createRoute({
  getParentRoute: () => settings,
  path: "/activity",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/activity/ActivityPage")),
    "ActivityPage",
  ),
});

const privacy = createRoute({
  getParentRoute: () => settings,
  path: "/privacy",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/privacy/PrivacyPage")),
    "PrivacyPage",
  ),
});

const webhooks = createRoute({
  getParentRoute: () => settings,
  path: "/webhooks",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/webhooks/WebhooksPage")),
    "WebhooksPage",
  ),
});

const webhook = createRoute({
  getParentRoute: () => settings,
  path: "/webhooks/$id",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/webhooks/WebhookPage")),
    "WebhookPage",
  ),
});

const start = createRoute({
  getParentRoute: () => shell,
  path: "/start",
  component: lazyRouteComponent(
    told(() => import("./pages/start/StartPage")),
    "StartPage",
  ),
});

const ops = createRoute({
  getParentRoute: () => shell,
  path: "/ops",
  component: lazyRouteComponent(
    told(() => import("./pages/ops/OpsPage")),
    "OpsPage",
  ),
});

const reports = createRoute({
  getParentRoute: () => shell,
  path: "/board/reports",
  component: lazyRouteComponent(
    told(() => import("./pages/board/reports/ReportsPage")),
    "ReportsPage",
  ),
});

const automations = createRoute({
  getParentRoute: () => shell,
  path: "/board/rules",
  component: lazyRouteComponent(
    told(() => import("./pages/board/rules/RulesPage")),
    "RulesPage",
  ),
});

const notices = createRoute({
  getParentRoute: () => settings,
  path: "/notices",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/notices/NoticesPage")),
    "NoticesPage",
  ),
});

const hours = createRoute({
  getParentRoute: () => settings,
  path: "/hours",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/hours/HoursPage")),
    "HoursPage",
  ),
});

const replies = createRoute({
  getParentRoute: () => settings,
  path: "/replies",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/replies/RepliesPage")),
    "RepliesPage",
  ),
});

const tags = createRoute({
  getParentRoute: () => settings,
  path: "/tags",
  component: lazyRouteComponent(
    told(() => import("./pages/settings/tags/TagsPage")),
    "TagsPage",
  ),
});

export const createAppRouter = (client: QueryClient) =>
  createRouter({
    routeTree: root.addChildren([
      login,
      invite,
      forgot,
      reset,
      shell.addChildren([
        home,
        inboxes.addChildren([inbox, conversation]),
        board,
        contacts,
        dashboard,
        devices,
        start,
        ops,
        reports,
        automations,
        settings.addChildren([
          settingsHome,
          account,
          notices,
          people,
          hours,
          replies,
          tags,
          bot,
          keys,
          webhooks,
          webhook,
          privacy,
          activity,
        ]),
      ]),
    ]),
    context: { client },
    defaultPreload: "intent",
    defaultNotFoundComponent: () => <Failure />,
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
