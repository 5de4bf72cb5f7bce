import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createInstance } from "i18next";
import { renderToStaticMarkup } from "react-dom/server";
import { I18nextProvider, initReactI18next } from "react-i18next";
import { expect, it } from "vitest";
import type { Chat } from "@/api/types";
import es from "@/locales/es.json";
import { KEYS } from "@/realtime/apply";
import { Blocked, useBlocked } from "./Blocked";

/** What stands above the box of a chat whose contact is so. */
async function above(contact: { id: string; blocked: boolean } | null) {
  const i18n = createInstance();
  await i18n.use(initReactI18next).init({ lng: "es", resources: { es: { translation: es } } });
  const client = new QueryClient();
  if (contact) client.setQueryData(KEYS.contact(contact.id), contact);
  const chat = { id: "cht_1", contact } as Chat;
  const Above = () => (useBlocked(chat) ? <Blocked contact={contact?.id ?? ""} /> : null);
  const html = renderToStaticMarkup(
    <QueryClientProvider client={client}>
      <I18nextProvider i18n={i18n}>
        <MantineProvider>
          <Above />
        </MantineProvider>
      </I18nextProvider>
    </QueryClientProvider>,
  );
  return html.replace(/<style[\s\S]*?<\/style>/g, "").replace(/<[^>]*>/g, "");
}

it("says where one writes that nothing can be sent, with the way out", async () => {
  expect(await above({ id: "cnt_1", blocked: true })).toBe(`${es.error["contact-blocked"]}${es.contacts.unblock}`);
});

it("says nothing of whom nobody has blocked, nor of a group", async () => {
  expect(await above({ id: "cnt_1", blocked: false })).toBe("");
  expect(await above(null)).toBe("");
});
