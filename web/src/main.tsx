import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onSignedOut } from "./api/http";
import { asProblem, away } from "./api/problem";
import { shared } from "./api/sharing";
import i18n, { spoken } from "./i18n";
import { createAppRouter } from "./router";
import { ask } from "./session/again";
import { SESSION } from "./session/session";
import { Notes } from "./shell/Notes";
import { readable, theme } from "./theme";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      structuralSharing: shared,
      retry: (count, error) => count < 3 && away(asProblem(error).status),
    },
  },
});
const router = createAppRouter(client);
onSignedOut(() => (client.getQueryData(SESSION) ? ask() : Promise.resolve(false)));

await spoken;
document.documentElement.lang = i18n.language;
if (import.meta.env.PROD) void navigator.serviceWorker?.register("/sw.js").catch(() => {});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={readable} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <Notes />
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
