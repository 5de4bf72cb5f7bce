import { MantineProvider } from "@mantine/core";
import { createInstance } from "i18next";
import { renderToStaticMarkup } from "react-dom/server";
import { I18nextProvider, initReactI18next } from "react-i18next";
import { describe, expect, it } from "vitest";
import type { Message } from "@/api/types";
import es from "@/locales/es.json";
import { Bubble, type MessageActs } from "./Bubble";
import { useInOneLine } from "./kinds/useKind";

const acts = {} as MessageActs;
const heard = (kind: string, change: Partial<Message> = {}) =>
  ({
    id: "msg_1",
    kind,
    from_me: false,
    status: "received",
    at: "2026-11-21T18:00:00Z",
    text: null,
    ...change,
  }) as Message;

/** What stands in the conversation, and in the list of chats. */
async function shown(message: Message) {
  const i18n = createInstance();
  await i18n.use(initReactI18next).init({ lng: "es", resources: { es: { translation: es } } });
  const Line = () => useInOneLine()(message);
  const render = (what: React.ReactNode) =>
    renderToStaticMarkup(
      <I18nextProvider i18n={i18n}>
        <MantineProvider>{what}</MantineProvider>
      </I18nextProvider>,
    )
      .replace(/<(style|time|button)[\s\S]*?<\/\1>/g, "")
      .replace(/<[^>]*>/g, " ")
      .replace(/\s+/g, " ")
      .trim();
  return {
    bubble: render(<Bubble message={message} follows marked={false} who={undefined} people={[]} acts={acts} />),
    line: render(<Line />),
  };
}

const UNSUPPORTED = es.message.kind.unsupported;

describe("a message that is no text", () => {
  it("is said to be one that is not shown here, with WhatsApp's name of it", async () => {
    const { bubble, line } = await shown(heard("unsupported", { unsupported: "eventMessage" }));
    expect(bubble).toBe(`${UNSUPPORTED} (eventMessage)`);
    expect(line).toBe(UNSUPPORTED);
  });

  it.each(["hologram", ""])("is said to be one where the panel is older than its kind: %s", async (kind) => {
    expect((await shown(heard(kind))).bubble).toBe(UNSUPPORTED);
    const worded = await shown(heard(kind, { text: "Hola <b>tú</b>" }));
    expect(worded.bubble).toBe(`${UNSUPPORTED} Hola &lt;b&gt;tú&lt;/b&gt;`);
    expect(worded.line).not.toContain("message.kind");
  });

  it("is waited for where it cannot be opened yet", async () => {
    expect((await shown(heard("undecryptable"))).bubble).toBe(es.message.kind.undecryptable);
  });

  it("is a poll with its answers, and where they are chosen", async () => {
    const { bubble, line } = await shown(heard("poll", { text: "¿Cuál?\n- <i>Azul</i>\n- Rojo" }));
    expect(bubble).toBe(`¿Cuál? &lt;i&gt;Azul&lt;/i&gt; Rojo ${es.media.pollHint}`);
    expect(line).toBe("Encuesta: ¿Cuál?");
  });

  it.each(["image", "location", "contact"])("says its kind where nothing else of it came: %s", async (kind) => {
    expect((await shown(heard(kind))).bubble).toBe(es.message.kind[kind as "image"]);
  });

  it("is gone where it was taken back, whatever it was", async () => {
    const gone = heard("hologram", { deleted_at: "2026-11-21T18:01:00Z", text: "no" });
    expect((await shown(gone)).bubble).toBe(es.message.deleted);
  });
});
