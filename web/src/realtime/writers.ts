import { type Writer, withWriter } from "./presence";

const NOBODY: readonly Writer[] = [];

/** Who writes in which chat, as it was told last. Every row of the list asks for its own, so that each sign draws one row. */
export class Writers {
  private readonly told = new Map<string, readonly Writer[]>();
  private readonly watchers = new Map<string, Set<() => void>>();

  in = (chat: string): readonly Writer[] => this.told.get(chat) ?? NOBODY;

  /** Takes over a sign; that somebody stopped of whom nobody knew that he began is no news. */
  tell = (chat: string, who: string, state: string, now: number) => {
    const before = this.in(chat);
    if (state === "paused" && !before.some((writer) => writer.who === who)) return;
    const next = withWriter(before, who, state, now);
    if (next.length) this.told.set(chat, next);
    else this.told.delete(chat);
    for (const watcher of this.watchers.get(chat) ?? []) watcher();
  };

  /** Calls *then* whenever somebody begins or stops in *chat*; gives the way to end that. */
  watch = (chat: string, then: () => void) => {
    const some = this.watchers.get(chat) ?? new Set();
    this.watchers.set(chat, some.add(then));
    return () => {
      some.delete(then);
      if (!some.size) this.watchers.delete(chat);
    };
  };
}

/** Of this tab. */
export const writers = new Writers();
