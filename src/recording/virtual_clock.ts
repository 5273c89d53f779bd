/** A clock on which a whole call takes no time. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { type Clock, clockFrom } from "../clock.ts";

export interface VirtualClock extends Clock {
  /**
   * Fires one timer after the other, each when nothing else is left to be done at its time, until `done` settles or time
   * has come to `untilMs`.
   */
  run(done: Promise<unknown>, untilMs: number): Promise<void>;
}

/** A clock that stands at 0. */
export function virtualClock(): VirtualClock {
  let nowMs = 0;
  /** In the order in which they were set: those that are due at the same time fire in it. */
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  const clock = clockFrom(() => nowMs, (ms, callback) => {
    const inContext = AsyncLocalStorage.snapshot();
    const timer = { dueMs: nowMs + ms, callback: () => inContext(callback) };
    timers.add(timer);
    return () => timers.delete(timer);
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const next = () => {
    let first: { readonly dueMs: number; readonly callback: () => void } | undefined;
    for (const timer of timers) if (!first || timer.dueMs < first.dueMs) first = timer;
    return first;
  };
  return {
    ...clock,
    async run(done, untilMs) {
      let over = false;
      const end = () => over = true;
      done.then(end, end);
      await settle();
      for (let timer = next(); timer && !over && timer.dueMs <= untilMs; timer = next()) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.callback();
        await settle();
      }
    },
  };
}
