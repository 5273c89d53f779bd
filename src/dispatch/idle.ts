/** Notices that a server is not needed: a machine that ends costs nothing until a request starts it again. */
import type { Clock } from "../clock.ts";
import { watchdog } from "../watchdog.ts";

export interface IdleWatch extends Disposable {
  /** Somebody has asked for something. */
  touch(): void;
}

/** Calls `onIdle` once when nobody has asked for anything, and nothing was under way, for `idleMs`. */
export function watchIdle({ idleMs, isBusy, onIdle, clock }: {
  readonly idleMs: number;
  readonly isBusy: () => boolean;
  readonly onIdle: () => void;
  readonly clock: Clock;
}): IdleWatch {
  let lastMs = clock.now();
  const touch = () => void (lastMs = clock.now());
  const dueMs = () => {
    if (isBusy()) touch();
    return lastMs + idleMs;
  };
  const watch = watchdog({ clock, dueMs, onStall: onIdle });
  return { touch, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}
