import { Problem } from "./problem";

type Body = object | FormData;

const csrf = () => document.cookie.match(/(?:^|; )clarin_csrf=([^;]*)/)?.[1] ?? "";

let refreshing: Promise<boolean> | undefined;
let signedOut: () => void = () => {};

/** Calls *then* once the session cannot be renewed any more. */
export const onSignedOut = (then: () => void) => {
  signedOut = then;
};

/** Renews the session; the requests that need it meanwhile share one renewal, and so do the tabs of a browser. */
function refresh(): Promise<boolean> {
  const run = async () => {
    const response = await raw("POST", "/api/auth/refresh", {});
    return response.ok;
  };
  refreshing ??= (navigator.locks ? navigator.locks.request("clarin.refresh", run) : run())
    .catch(() => false)
    .finally(() => {
      refreshing = undefined;
    });
  return refreshing;
}

async function raw(method: string, path: string, body?: Body, headers?: HeadersInit): Promise<Response> {
  const form = body instanceof FormData;
  try {
    return await fetch(path, {
      method,
      credentials: "same-origin",
      headers: {
        accept: "application/json",
        ...(body && !form ? { "content-type": "application/json" } : {}),
        ...(method !== "GET" ? { "x-csrf-token": csrf() } : {}),
        ...headers,
      },
      body: form ? body : body ? JSON.stringify(body) : undefined,
    });
  } catch (error) {
    throw new Problem(0, "network", String(error), undefined);
  }
}

/** Sends a request; renews the session once where it has run out. Throws a Problem for every answer that is no success. */
export async function send(method: string, path: string, body?: Body, headers?: HeadersInit): Promise<Response> {
  let response = await raw(method, path, body, headers);
  if (response.status === 401 && !path.startsWith("/api/auth/login") && !path.startsWith("/api/auth/register")) {
    if (await refresh()) response = await raw(method, path, body, headers);
    else signedOut();
  }
  if (!response.ok) throw await Problem.of(response);
  return response;
}

export const get = <T>(path: string): Promise<T> => send("GET", path).then((r) => r.json());

export async function call<T>(method: string, path: string, body: Body = {}, headers?: HeadersInit): Promise<T> {
  const response = await send(method, path, body, headers);
  return response.status === 204 ? (undefined as T) : response.json();
}
