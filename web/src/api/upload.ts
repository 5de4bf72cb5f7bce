/** Files are sent by XMLHttpRequest: `fetch` does not say how far it is. */
import type { MediaView } from "./generated";
import { csrf, refresh } from "./http";
import { Problem } from "./problem";

export type Upload = { done: Promise<MediaView>; cancel: () => void };

/** Sends a file here, to be sent on with a message; *progress* is told the part that has gone, from 0 to 1. */
export function upload(file: File, kind: string | undefined, key: string, progress: (part: number) => void): Upload {
  let request: XMLHttpRequest | undefined;
  let cancelled = false;
  const once = () =>
    new Promise<MediaView>((resolve, reject) => {
      const form = new FormData();
      if (kind) form.append("kind", kind);
      form.append("file", file, file.name);
      request = new XMLHttpRequest();
      request.open("POST", "/api/media");
      request.responseType = "text";
      request.setRequestHeader("idempotency-key", key);
      request.setRequestHeader("x-csrf-token", csrf());
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onerror = () => reject(new Problem(0, "network", "", undefined));
      request.onabort = () => reject(new DOMException("", "AbortError"));
      request.onload = () => {
        const { status, responseText } = request as XMLHttpRequest;
        if (status === 201) return resolve(JSON.parse(responseText));
        const headers = new Headers({ "x-request-id": request?.getResponseHeader("x-request-id") ?? "" });
        void Problem.of(new Response(responseText, { status: status || 503, headers })).then(reject);
      };
      request.send(form);
    });
  const run = async () => {
    try {
      return await once();
    } catch (error) {
      if (cancelled || !(error instanceof Problem) || error.status !== 401 || !(await refresh())) throw error;
      return once();
    }
  };
  return {
    done: run(),
    cancel: () => {
      cancelled = true;
      request?.abort();
    },
  };
}
