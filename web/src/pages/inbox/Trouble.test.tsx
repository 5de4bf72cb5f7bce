import { MantineProvider } from "@mantine/core";
import { createInstance } from "i18next";
import { renderToStaticMarkup } from "react-dom/server";
import { I18nextProvider, initReactI18next } from "react-i18next";
import { describe, expect, it } from "vitest";
import type { Message } from "@/api/types";
import es from "@/locales/es.json";
import { Bubble, type MessageActs } from "./Bubble";

/** What is said below a message of ours, and what can be done about it. */
async function below(change: Partial<Message>) {
  const i18n = createInstance();
  await i18n.use(initReactI18next).init({ lng: "es", resources: { es: { translation: es } } });
  const message = { id: "msg_1", kind: "text", from_me: true, at: "2026-11-21T18:00:00Z", text: "Hola", ...change };
  const html = renderToStaticMarkup(
    <I18nextProvider i18n={i18n}>
      <MantineProvider>
        <Bubble
          message={message as Message}
          follows
          marked={false}
          who={undefined}
          people={[]}
          acts={{} as MessageActs}
        />
      </MantineProvider>
    </I18nextProvider>,
  );
  const said = html.slice(html.indexOf('role="status"')).match(/<p[^>]*>([^<]*)<\/p>/);
  return { why: said?.[1], can: [...html.matchAll(/Button-label[^>]*>([^<]*)</g)].map((label) => label[1]) };
}

const { reason, status } = es.message;

describe("a message of ours that is not with the customer", () => {
  it("is sent again at once where the phone could not read it", async () => {
    expect(await below({ status: "unknown", reason: "not-readable" })).toEqual({
      why: reason["not-readable"],
      can: [es.inbox.resend, es.inbox.wasRead],
    });
  });

  it("is settled first where nobody knows whether it went", async () => {
    expect(await below({ status: "unknown", reason: "worker-lost" })).toEqual({
      why: `${status.unknown}: ${reason["worker-lost"]}`,
      can: [es.inbox.wasSent, es.inbox.wasNotSent],
    });
  });

  it("says nothing where it was sent", async () => {
    expect(await below({ status: "sent", reason: null })).toEqual({ why: undefined, can: [] });
  });
});
