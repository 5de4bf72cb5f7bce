/** Does it to several chats, a few at a time; tells how many took it. */
export async function toEach<T>(some: T[], act: (one: T) => Promise<boolean>, together = 4): Promise<number> {
  const left = [...some];
  let done = 0;
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) if (await act(one)) done++;
  };
  await Promise.all(Array.from({ length: together }, work));
  return done;
}

/** When a snooze can end, in the agent's own day. */
export function snoozes(now: Date): { id: "hour" | "evening" | "tomorrow" | "monday"; at: Date }[] {
  const at = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const toMonday = (8 - now.getDay()) % 7 || 7;
  return [
    { id: "hour" as const, at: new Date(now.getTime() + 60 * 60_000) },
    ...(now.getHours() < 17 ? [{ id: "evening" as const, at: at(0, 18) }] : []),
    { id: "tomorrow" as const, at: at(1, 9) },
    ...(toMonday > 1 ? [{ id: "monday" as const, at: at(toMonday, 9) }] : []),
  ];
}
