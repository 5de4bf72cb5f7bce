import { client } from "./generated/client.gen";
import { Problem } from "./problem";

/** Goes with every request that changes something. */
export const csrf = () => document.cookie.match(/(?:^|; )clarin_csrf=([^;]*)/)?.[1] ?? "";

let refreshing: Promise<boolean> | undefined;
let signedOut: () => Promise<boolean> = () => Promise.resolve(false);

/** Calls *then* once the session cannot be renewed any more; a request waits for its answer: whether somebody signed in again. */
export const onSignedOut = (then: () => Promise<boolean>) => {
  signedOut = then;
};

async function raw(request: Request): Promise<Response> {
  if (request.method !== "GET") request.headers.set("x-csrf-token", csrf());
  try {
    return await fetch(request);
  } catch (error) {
    throw new Problem(0, "network", String(error), undefined);
  }
}

/**
 * Renews the session; the requests that need it meanwhile share one renewal, and so do the tabs of a browser. False where
 * the server refuses; a server that cannot be reached is a Problem, and no reason to sign in again.
 */
export function refresh(): Promise<boolean> {
  const before = csrf();
  const run = async () => {
    // Another tab may have renewed it while this one waited for its turn.
    if (csrf() !== before) return true;
    const answer = await raw(new Request("/api/auth/refresh", { method: "POST" }));
    if (answer.status >= 500 || answer.status === 429) throw await Problem.of(answer);
    return answer.ok;
  };
  refreshing ??= (navigator.locks ? navigator.locks.request("clarin.refresh", run) : run()).finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

/** Sends a request; renews the session once where it has run out. Throws a Problem for every answer that is no success. */
async function send(request: Request): Promise<Response> {
  const again = request.clone();
  let response = await raw(request);
  const path = new URL(request.url).pathname;
  if (response.status === 401 && !["/api/auth/login", "/api/auth/register"].includes(path)) {
    if ((await refresh()) || (await signedOut())) response = await raw(again);
  }
  if (!response.ok) throw await Problem.of(response);
  return response;
}

client.setConfig({
  baseUrl: globalThis.location?.origin,
  throwOnError: true,
  credentials: "same-origin",
  fetch: (input, init) => send(input instanceof Request ? input : new Request(input, init)),
});
