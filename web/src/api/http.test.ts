import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { me } from "./calls";
import { client } from "./generated/client.gen";
import { asProblem } from "./problem";

let close = () => {};
afterEach(() => close());

/** What the client makes of a server that answers each request so. */
async function asked(status: number, body: string, type: string) {
  const server = createServer((_, response) => response.writeHead(status, { "content-type": type }).end(body));
  await new Promise<void>((begun) => server.listen(0, "127.0.0.1", begun));
  close = () => server.close();
  client.setConfig({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return me().then(() => undefined, asProblem);
}

test("a proxy's page in place of an answer is a server that recovers", async () => {
  const problem = await asked(502, "<html><h1>502 Bad Gateway</h1></html>", "text/html");
  expect([problem?.status, problem?.code]).toEqual([502, "unavailable"]);
});

test("the server's own words are kept", async () => {
  const problem = await asked(403, '{"code": "csrf", "request_id": "req-1"}', "application/problem+json");
  expect([problem?.status, problem?.code, problem?.requestId]).toEqual([403, "csrf", "req-1"]);
});

test("nobody who listens is no network", async () => {
  await asked(200, "{}", "application/json");
  close();
  close = () => {};
  const problem = await me().then(() => undefined, asProblem);
  expect([problem?.status, problem?.code]).toEqual([0, "network"]);
});
