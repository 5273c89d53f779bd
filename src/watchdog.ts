import type { Clock } from "./clock.ts";

/** How often it is asked for at least: it may come nearer, too. */
const askEveryMs = 1_000;

/**
 * Calls `onStall` once the time that `dueMs()` gives (clock milliseconds) has come, unless disposed before. Progress
 * moves that time: it is asked for again and again.
 */
export function watchdog(
  { clock, dueMs, onStall }: {
    readonly clock: Clock;
    readonly dueMs: () => number;
    readonly onStall: () => void;
  },
): Disposable {
  let over = false;
  let timer = arm();
  function arm(): Disposable {
    return clock.after(Math.max(1, Math.min(askEveryMs, dueMs() - clock.now())), () => {
      if (over) return;
      if (dueMs() > clock.now()) timer = arm();
      else onStall();
    });
  }
  return {
    [Symbol.dispose]() {
      over = true;
      timer[Symbol.dispose]();
    },
  };
}
