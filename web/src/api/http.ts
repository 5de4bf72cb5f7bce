import { client } from "./generated/client.gen";
import { Problem } from "./problem";

const csrf = () => document.cookie.match(/(?:^|; )clarin_csrf=([^;]*)/)?.[1] ?? "";

let refreshing: Promise<boolean> | undefined;
let signedOut: () => void = () => {};

/** Calls *then* once the session cannot be renewed any more. */
export const onSignedOut = (then: () => void) => {
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

/** Renews the session; the requests that need it meanwhile share one renewal, and so do the tabs of a browser. */
function refresh(): Promise<boolean> {
  const before = csrf();
  const run = async () => {
    // Another tab may have renewed it while this one waited for its turn.
    if (csrf() !== before) return true;
    return (await raw(new Request("/api/auth/refresh", { method: "POST" }))).ok;
  };
  refreshing ??= (navigator.locks ? navigator.locks.request("clarin.refresh", run) : run())
    .catch(() => false)
    .finally(() => {
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
    if (await refresh()) response = await raw(again);
    else signedOut();
  }
  if (!response.ok) throw await Problem.of(response);
  return response;
}

client.setConfig({
  baseUrl: window.location.origin,
  throwOnError: true,
  credentials: "same-origin",
  fetch: (input, init) => send(input instanceof Request ? input : new Request(input, init)),
});
