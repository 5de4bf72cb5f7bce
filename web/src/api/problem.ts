/** What the server says when something is wrong (RFC 9457), or `network` when it does not answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly requestId: string | undefined,
    /** What the server said beside its words, such as the thing as it is now. */
    readonly members: Record<string, unknown> = {},
  ) {
    super(detail || code);
  }

  /** Reads what came instead of an answer; what stands before the server may answer with a page, or with nothing. */
  static async of(response: Response): Promise<Problem> {
    const told = await response.json().catch(() => undefined);
    const body = told && typeof told === "object" ? told : {};
    const requestId = body.request_id ?? response.headers.get("x-request-id") ?? undefined;
    return new Problem(response.status, body.code ?? codeOf(response.status), body.detail ?? "", requestId, body);
  }
}

/** Nobody answers, or only what stands before the server does: it ends by itself. */
export const away = (status: number) => status === 0 || status >= 502;

/** What a status alone says. */
const codeOf = (status: number) =>
  away(status) ? "unavailable" : ({ 403: "forbidden", 413: "too-large", 429: "rate-limited" }[status] ?? "unknown");

export const asProblem = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(0, "network", String(error), undefined);
