import { MantineProvider } from "@mantine/core";
import { createInstance } from "i18next";
import { renderToStaticMarkup } from "react-dom/server";
import { I18nextProvider, initReactI18next } from "react-i18next";
import { describe, expect, it } from "vitest";
import type { Contact } from "@/api/contacts";
import es from "@/locales/es.json";
import type { Company } from "@/session/company";
import { OnWhatsApp } from "./OnWhatsApp";

const company = { device: new Map([["dev_1", { name: "Ventas" }]]) } as unknown as Company;
const at = "2026-11-21T18:00:00Z";

async function line(...blocks: object[]) {
  const i18n = createInstance();
  await i18n.use(initReactI18next).init({ lng: "es", resources: { es: { translation: es } } });
  const contact = { id: "cnt_1", blocks: blocks.map((one) => ({ device_id: "dev_1", at, ...one })) } as Contact;
  const html = renderToStaticMarkup(
    <I18nextProvider i18n={i18n}>
      <MantineProvider>
        <OnWhatsApp contact={contact} company={company} />
      </MantineProvider>
    </I18nextProvider>,
  );
  return html.replace(/<style[\s\S]*?<\/style>/g, "").replace(/<[^>]*>/g, "");
}

describe("what each number does about a blocked contact", () => {
  it("says nothing where nothing is to be said", async () => {
    expect(await line()).toBe("");
  });
  it("says it in one line, with the reason", async () => {
    expect(await line({ blocked: true, state: "done" })).toBe("En WhatsApp: Ventas, bloqueado");
    expect(
      await line(
        { blocked: true, state: "pending", reason: "not-connected" },
        { device_id: "dev_2", blocked: true, state: "failed", reason: "not-on-whatsapp" },
        { blocked: false, state: "done", by_phone: true },
      ),
    ).toMatch(
      /^En WhatsApp: Ventas, se bloqueará cuando se conecte · .+, no está en WhatsApp · Ventas, desbloqueado en el teléfono$/,
    );
  });
  it("has words for a reason that it does not know", async () => {
    expect(await line({ blocked: true, state: "failed", reason: "new-one" })).toContain("WhatsApp no respondió");
  });
});
