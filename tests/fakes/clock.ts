/** A clock that moves only when a test moves it. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { type Clock, clockFrom } from "../../src/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export interface FakeClock extends Clock {
  /** Moves time on by `ms`, firing timers in order and letting promises and streams settle after each. */
  advance(ms: number): Promise<void>;
  /** Lets everything that needs no time happen. */
  settle(): Promise<void>;
  /** How many timers are waiting: 0 when nothing was left behind. */
  readonly pending: number;
}

/** A FakeClock that stands at `startMs`. */
export function fakeClock(startMs = 0): FakeClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();
  const clock = clockFrom(() => nowMs, (ms, callback) => {
    // As the platform's own timers do, it runs in the async context that it was set in.
    const inContext = AsyncLocalStorage.snapshot();
    const timer = { dueMs: nowMs + ms, callback: () => inContext(callback) };
    timers.add(timer);
    return () => timers.delete(timer);
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const next = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (!first || timer.dueMs < first.dueMs)) first = timer;
    }
    return first;
  };
  return {
    ...clock,
    settle,
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let timer = next(untilMs); timer; timer = next(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.callback();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}
