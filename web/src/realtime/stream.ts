/**
 * The frames of the socket as server-sent events, where no WebSocket passes (an old proxy on the way): the session's cookie
 * opens it, and nothing can be said over it. It looks like a WebSocket that is never open for saying anything.
 */
export function stream(query: string): WebSocket {
  const source = new EventSource(`/api/stream${query ? `?${query}` : ""}`);
  const line = {
    readyState: 0,
    onmessage: null as ((event: { data: string }) => void) | null,
    onclose: null as (() => void) | null,
    send() {},
    close() {
      if (source.readyState === source.CLOSED) return;
      source.close();
      line.onclose?.();
    },
  };
  source.onmessage = (event) => line.onmessage?.(event);
  // It would come back by itself, but not with a jitter, nor to a WebSocket once that passes again.
  source.onerror = line.close;
  return line as unknown as WebSocket;
}
