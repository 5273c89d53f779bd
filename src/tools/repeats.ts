/** Models that call the same over and over: after so many times in a while they are told to stop it. */
import type { Clock } from "../clock.ts";

/** The same tool with the same arguments is called so often within so many milliseconds, and no more. */
const limit = { calls: 10, withinMs: 60_000 } as const;

/** What a model is told that has called something too often. */
export const tooOftenWords =
  `Nothing was done: this was called with the same arguments ${limit.calls} times within a minute. ` +
  "Do not call it again; go on without it.";

/** Whether a call is one too many; each that is asked about counts, unless it is. `key`: the same for equal calls. */
export function createRepeats(clock: Clock): (key: string) => boolean {
  const calls = new Map<string, readonly number[]>();
  return (key) => {
    const nowMs = clock.now();
    for (const [other, times] of calls) {
      if ((times.at(-1) ?? 0) <= nowMs - limit.withinMs) calls.delete(other);
    }
    const recent = (calls.get(key) ?? []).filter((ms) => ms > nowMs - limit.withinMs);
    if (recent.length >= limit.calls) return true;
    calls.set(key, [...recent, nowMs]);
    return false;
  };
}
