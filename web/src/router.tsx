import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
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

const inbox = createRoute({
  getParentRoute: () => shell,
  path: "/inbox",
  component: lazyRouteComponent(() => import("./pages/inbox/InboxPage"), "InboxPage"),
});

const conversation = createRoute({
  getParentRoute: () => shell,
  path: "/inbox/$chatId",
  component: lazyRouteComponent(() => import("./pages/inbox/InboxPage"), "InboxPage"),
});

const devices = createRoute({
  getParentRoute: () => shell,
  path: "/devices",
  component: lazyRouteComponent(() => import("./pages/devices/DevicesPage"), "DevicesPage"),
});

export const createAppRouter = (client: QueryClient) =>
  createRouter({
    routeTree: root.addChildren([login, shell.addChildren([home, inbox, conversation, devices])]),
    context: { client },
    defaultPreload: "intent",
    defaultNotFoundComponent: () => <Failure />,
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
