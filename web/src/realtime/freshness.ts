import type { QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Frames and answers overtake each other: what is fetched may have been looked up before what a frame tells, and would then
 * stand over it for good. Such a thing is fetched once more.
 */
export class Freshness {
  private readonly due = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly client: QueryClient,
    private readonly wait = 500,
  ) {}

  /** Something was told of what stands under *key*: an answer that is on its way there may not know it yet. */
  told(key: QueryKey) {
    if (this.client.isFetching({ queryKey: key, exact: true })) this.again(key);
  }

  /** Fetches what stands under *key* anew, a moment later and not before an answer that is on its way has come; once for all who ask. */
  again(key: QueryKey) {
    const name = JSON.stringify(key);
    if (this.due.has(name)) return;
    const look = () => {
      if (this.client.isFetching({ queryKey: key, exact: true })) {
        this.due.set(name, setTimeout(look, this.wait));
        return;
      }
      this.due.delete(name);
      void this.client.invalidateQueries({ queryKey: key, exact: true });
    };
    this.due.set(name, setTimeout(look, this.wait));
  }

  stop() {
    for (const timer of this.due.values()) clearTimeout(timer);
    this.due.clear();
  }
}
