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

  static async of(response: Response): Promise<Problem> {
    const body = await response.json().catch(() => ({}));
    const requestId = body.request_id ?? response.headers.get("x-request-id") ?? undefined;
    return new Problem(
      response.status,
      body.code ?? (response.status >= 502 ? "unavailable" : "unknown"),
      body.detail ?? "",
      requestId,
      body,
    );
  }
}

export const asProblem = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(0, "network", String(error), undefined);
