/**
 * Takes what comes one by one and gives it on in heaps: the first at once, what follows within *wait* milliseconds together.
 * In a page that nobody sees timers run late, and nothing waits for one.
 */
export class Together<One> {
  private waiting: One[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly give: (some: readonly One[]) => void,
    private readonly wait = 50,
    private readonly seen = () => document.visibilityState === "visible",
  ) {}

  add(one: One) {
    this.waiting.push(one);
    if (!this.timer || !this.seen()) this.flush();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = [];
  }

  private readonly flush = () => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const some = this.waiting;
    if (!some.length) return;
    this.waiting = [];
    this.timer = setTimeout(this.flush, this.wait);
    this.give(some);
  };
}
