import { createInstance } from "i18next";
import { renderToStaticMarkup } from "react-dom/server";
import { I18nextProvider, initReactI18next } from "react-i18next";
import { describe, expect, it } from "vitest";
import en from "@/locales/en.json";
import es from "@/locales/es.json";
import pt from "@/locales/pt.json";
import { useProblemText } from "@/shell/problems";
import { away, Problem } from "./problem";

const PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
const answer = (status: number, body: string, type = "text/html") =>
  new Response(body, { status, headers: { "content-type": type } });

/** What a person reads. */
async function said(problem: Problem, lng: string) {
  const i18n = createInstance();
  const resources = { es: { translation: es }, pt: { translation: pt }, en: { translation: en } };
  await i18n.use(initReactI18next).init({ lng, resources });
  const Said = () => useProblemText()(problem);
  return renderToStaticMarkup(
    <I18nextProvider i18n={i18n}>
      <Said />
    </I18nextProvider>,
  );
}

describe("what is no success", () => {
  it.each([502, 503, 504, 522])(
    "is the service that recovers where a proxy says %i with a page of its own",
    async (status) => {
      const problem = await Problem.of(answer(status, PAGE));
      expect([problem.status, problem.code, problem.detail]).toEqual([status, "unavailable", ""]);
      expect(away(problem.status)).toBe(true);
      for (const [language, words] of Object.entries({ es, pt, en }))
        expect(await said(problem, language)).toBe(words.error.unavailable);
    },
  );

  it("says what the server says, with the reference for support", async () => {
    const body = JSON.stringify({ code: "chat-not-found", detail: "No such chat.", request_id: "req-1", chat: 1 });
    const problem = await Problem.of(answer(404, body, "application/problem+json"));
    expect([problem.code, problem.requestId, problem.members.chat]).toEqual(["chat-not-found", "req-1", 1]);
    expect(await said(problem, "es")).toBe(es.error["chat-not-found"]);
  });

  it.each([
    [413, "too-large"],
    [429, "rate-limited"],
    [403, "forbidden"],
    [500, "unknown"],
    [400, "unknown"],
  ] as const)("is read from %i alone where nothing else is said", async (status, code) => {
    for (const body of [PAGE, "", "null", '"no"']) {
      const problem = await Problem.of(answer(status, body));
      expect(problem.code).toBe(code);
      expect(await said(problem, "es")).toBe(es.error[code]);
    }
  });

  it("keeps the reference that the proxy passed on", async () => {
    const response = new Response(PAGE, { status: 502, headers: { "x-request-id": "req-2" } });
    expect((await Problem.of(response)).requestId).toBe("req-2");
  });
});
