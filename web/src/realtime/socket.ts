import type { Present } from "./presence";
import { stream } from "./stream";

/**
 * One socket that never misses: it remembers the epoch and the sequence of the last frame, asks for what came after
 * it when it connects again, and tells when something was lost in silence (`prev` is not what it saw last).
 */
export type Frame = {
  event: string;
  protocol?: number;
  seq?: number;
  prev?: number;
  epoch?: string;
  data?: unknown;
};
/** `outdated`: the server speaks another protocol by now, and this page must be loaded anew. */
export type Connection = "connecting" | "live" | "offline" | "outdated";

/** The protocol that this page speaks: docs/realtime.md. */
const PROTOCOL = 1;
/** After so many sockets without a word every other try is a stream of events. */
const UNHEARD = 3;
/** `WebSocket.OPEN`. */
const OPEN = 1;
/** A token is renewed so long before its end. */
const RENEWED_MS = 60_000;

type Options = {
  ticket: () => Promise<string>;
  frame: (frame: Frame) => void;
  /** Everything that is on the screen may be old: fetch it anew. */
  resync: () => void;
  /** It is heard from now on: what was fetched before may lack what happened until now. */
  opened?: () => void;
  connection: (state: Connection) => void;
  /** What this tab says of its user, at each opening and whenever `present` is called. */
  present?: () => Present;
  open?: (url: string) => WebSocket;
  fallBack?: (query: string) => WebSocket;
  wait?: (attempt: number) => number;
};

/** Full jitter up to 15 s, so that a thousand browsers do not come back at once. */
const backoff = (attempt: number) => 250 + Math.random() * Math.min(15_000, 500 * 2 ** attempt);

export class Socket {
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private unheard = 0;
  private said = "";
  private last = 0;
  private heard = 0;
  private attempt = 0;
  private closed = false;
  private epoch: string | undefined;
  private seq: number | undefined;
  private fresh = true;

  constructor(private readonly options: Options) {}

  start = () => {
    window.addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.visible);
    void this.connect();
  };

  stop = () => {
    this.closed = true;
    window.removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.visible);
    clearTimeout(this.timer);
    clearInterval(this.heartbeat);
    clearTimeout(this.renewal);
    this.socket?.close();
  };

  /** Says something, where there is somebody to say it to: what is not heard now is of no use later. */
  say = (message: object) => {
    if (this.socket?.readyState === OPEN && this.last) this.socket.send(JSON.stringify(message));
  };

  /** Says what has changed of this tab's user. */
  present = () => {
    const present = this.options.present?.();
    const text = JSON.stringify(present);
    if (!present || text === this.said || !this.last) return;
    this.said = text;
    this.say({ type: "presence", ...present });
  };

  private now = () => {
    if (!this.socket && !this.closed) {
      this.attempt = 0;
      clearTimeout(this.timer);
      void this.connect();
    }
  };

  private visible = () => {
    if (document.visibilityState === "visible") this.now();
  };

  private async connect() {
    this.options.connection(this.attempt ? "offline" : "connecting");
    try {
      const since = this.seq === undefined ? "" : `since=${this.seq}&epoch=${encodeURIComponent(this.epoch ?? "")}`;
      const streamed = this.unheard >= UNHEARD && this.unheard % 2 === 1;
      const ticket = await this.options.ticket(); // renews the session too, where that is due
      if (this.closed) return;
      const scheme = window.location.protocol === "https:" ? "wss" : "ws";
      const url = `${scheme}://${window.location.host}/ws?ticket=${encodeURIComponent(ticket)}${since && `&${since}`}`;
      const socket = streamed
        ? (this.options.fallBack ?? stream)(since)
        : (this.options.open?.(url) ?? new WebSocket(url));
      this.socket = socket;
      this.unheard++;
      socket.onmessage = (message) => this.receive(JSON.parse(message.data));
      socket.onclose = () => this.lost(socket);
      this.heard = Date.now();
      clearInterval(this.heartbeat);
      // A stream's heartbeats are not to be seen here; its end is.
      if (!streamed) this.heartbeat = setInterval(() => this.beat(socket), 20_000);
    } catch {
      this.later();
    }
  }

  /** A network that died without a word is noticed within a minute. */
  private beat(socket: WebSocket) {
    if (Date.now() - this.heard > 55_000) socket.close();
    else if (socket.readyState === OPEN) socket.send('{"type":"ping"}');
  }

  private lost(socket: WebSocket) {
    if (this.socket !== socket) return;
    this.socket = undefined;
    this.last = 0;
    this.said = "";
    clearInterval(this.heartbeat);
    clearTimeout(this.renewal);
    if (!this.closed) this.later();
  }

  private later() {
    this.options.connection("offline");
    this.timer = setTimeout(() => void this.connect(), (this.options.wait ?? backoff)(this.attempt++));
  }

  /** Keeps the socket beyond the end of its token; where that fails it is closed, and opened anew. */
  private renew(expires: unknown) {
    clearTimeout(this.renewal);
    if (typeof expires !== "number") return;
    const wait = Math.max(1_000, expires * 1000 - Date.now() - RENEWED_MS);
    this.renewal = setTimeout(() => {
      void this.options.ticket().then(
        (ticket) => this.say({ type: "auth", ticket }),
        () => {},
      );
    }, wait);
  }

  private receive(frame: Frame) {
    this.heard = Date.now();
    if (frame.event === "auth") {
      this.renew((frame.data as { expires_at?: number } | undefined)?.expires_at);
      return;
    }
    if (frame.event === "hello") {
      if ((frame.protocol ?? PROTOCOL) !== PROTOCOL) {
        this.stop();
        this.options.connection("outdated");
        return;
      }
      if (this.seq === undefined || (this.epoch !== undefined && frame.epoch !== this.epoch)) {
        this.seq = frame.seq;
        if (this.fresh) this.options.opened?.();
        else this.options.resync();
      }
      this.epoch = frame.epoch;
      this.fresh = false;
      this.attempt = 0;
      this.last = this.heard;
      if (this.socket?.readyState === OPEN) this.unheard = 0;
      this.options.connection("live");
      this.renew((frame.data as { expires_at?: number } | undefined)?.expires_at);
      this.present();
      return;
    }
    if (frame.event === "resync") {
      if (frame.seq !== undefined) this.seq = frame.seq;
      this.epoch = frame.epoch ?? this.epoch;
      this.options.resync();
      return;
    }
    if (frame.seq !== undefined) {
      if (this.seq !== undefined && frame.seq <= this.seq) return;
      if (frame.prev !== undefined && this.seq !== undefined && frame.prev > this.seq) {
        // Lost in silence: connect again and ask for everything since the last one that was seen.
        this.socket?.close();
        return;
      }
      this.seq = frame.seq;
    }
    this.options.frame(frame);
  }
}
