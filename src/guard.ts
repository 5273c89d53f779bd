/** The last resort: a conversation that gets no further although nothing has failed is helped on. */
import type { Clock } from "./clock.ts";
import { watchdog } from "./watchdog.ts";

/**
 * A reply ends itself when it gets no further; when not even that happens for this long, or a turn has no outcome, the
 * conversation goes on without it. Milliseconds.
 */
const patienceMs = 15_000;

export interface Guard extends Disposable {
  /** To be called whenever anything has happened. */
  look(): void;
}

export function createGuard({ clock, owes, progressMs, onStall }: {
  readonly clock: Clock;
  /** Whether anything is owed to the user. */
  readonly owes: () => boolean;
  /** When the conversation last got any further (clock milliseconds). */
  readonly progressMs: () => number;
  /** Told for how long it has not, in milliseconds. */
  readonly onStall: (waitedMs: number) => void;
}): Guard {
  let watch: Disposable | undefined;
  const end = () => {
    watch?.[Symbol.dispose]();
    watch = undefined;
  };
  return {
    look() {
      if (!owes()) return end();
      watch ??= watchdog({
        clock,
        dueMs: () => progressMs() + patienceMs,
        onStall() {
          watch = undefined;
          onStall(clock.now() - progressMs());
        },
      });
    },
    [Symbol.dispose]: end,
  };
}
