/** A clock that moves only when it is moved: a whole call takes no time, and is the same every time. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { type Clock, clockFrom } from "./clock.ts";

export interface VirtualClock extends Clock {
  /** Moves time on by `ms`, firing timers in order and letting promises and streams settle after each. */
  advance(ms: number): Promise<void>;
  /**
   * Fires the timer that is due next, if that is by `untilMs`, and lets promises and streams settle; returns whether there
   * was one.
   */
  step(untilMs: number): Promise<boolean>;
  /** Fires one timer after the other until `done` settles, none is left, or time has come to `untilMs`. */
  run(done: Promise<unknown>, untilMs: number): Promise<void>;
  /** Lets everything that needs no time happen. */
  settle(): Promise<void>;
  /** When the next timer is due; Infinity when none is waiting. */
  readonly nextMs: number;
  /** How many timers are waiting: 0 when nothing was left behind. */
  readonly pending: number;
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that stands at `startMs`. */
export function virtualClock(startMs = 0): VirtualClock {
  let nowMs = startMs;
  /** In the order in which they were set: those that are due at the same time fire in it. */
  const timers = new Set<Timer>();
  const clock = clockFrom(() => nowMs, (ms, callback) => {
    // As the platform's own timers do, it runs in the async context that it was set in.
    const inContext = AsyncLocalStorage.snapshot();
    const timer = { dueMs: nowMs + ms, callback: () => inContext(callback) };
    timers.add(timer);
    return () => timers.delete(timer);
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const next = (): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) if (!first || timer.dueMs < first.dueMs) first = timer;
    return first;
  };
  const step = async (untilMs: number): Promise<boolean> => {
    const timer = next();
    if (!timer || timer.dueMs > untilMs) return false;
    timers.delete(timer);
    nowMs = Math.max(nowMs, timer.dueMs);
    timer.callback();
    await settle();
    return true;
  };
  return {
    ...clock,
    settle,
    step,
    get nextMs() {
      return next()?.dueMs ?? Infinity;
    },
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      while (await step(untilMs));
      nowMs = untilMs;
    },
    async run(done, untilMs) {
      let over = false;
      const end = () => over = true;
      done.then(end, end);
      await settle();
      while (!over && await step(untilMs));
    },
  };
}
