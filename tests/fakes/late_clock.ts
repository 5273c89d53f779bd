/** The clock of a machine that is busy at times. */
import { type Clock, clockFrom } from "../../src/clock.ts";

/** When nothing fires, each from its beginning to its end (clock milliseconds). */
export type Stalls = readonly (readonly [fromMs: number, toMs: number])[];

/** `clock`, whose timers that are due in one of `stalls` fire right behind it, in their order. */
export function lateClock(clock: Clock, stalls: Stalls): Clock {
  return clockFrom(clock.now, (ms, callback) => {
    const dueMs = clock.now() + ms;
    const stall = stalls.find(([fromMs, toMs]) => dueMs >= fromMs && dueMs < toMs);
    const lateMs = stall ? stall[1] - dueMs + (dueMs - stall[0]) / 1_000 : 0;
    const timer = clock.after(ms + lateMs, callback);
    return () => timer[Symbol.dispose]();
  });
}
