/** Lets a few in at a time: what slows everybody down when all do it at once is done by some after others. */
import { abortable } from "./abort.ts";
import type { Clock } from "./clock.ts";

/** A few places, which are given in the order in which they were asked for. */
export interface Turnstile {
  /** Settles with a place, to be given back; rejects with the signal's reason. */
  enter(options: { readonly clock: Clock; readonly signal: AbortSignal }): Promise<Disposable>;
}

/** `places` at a time; one that was held for `longestMs` is given to the next, for whoever hangs must not hold up all. */
export function turnstile({ places, longestMs }: {
  readonly places: number;
  readonly longestMs: number;
}): Turnstile {
  const waiting = new Set<() => void>();
  let free = places;

  const admit = () => {
    for (const enter of waiting) {
      if (free === 0) return;
      free--;
      waiting.delete(enter);
      enter();
    }
  };
  const place = (clock: Clock): Disposable => {
    let held = true;
    const giveBack = () => {
      if (!held) return;
      held = false;
      timer[Symbol.dispose]();
      free++;
      admit();
    };
    const timer = clock.after(longestMs, giveBack);
    return { [Symbol.dispose]: giveBack };
  };
  return {
    async enter({ clock, signal }) {
      signal.throwIfAborted();
      const admitted = Promise.withResolvers<void>();
      waiting.add(admitted.resolve);
      admit();
      try {
        await abortable(admitted.promise, signal);
      } catch (error) {
        if (!waiting.delete(admitted.resolve)) place(clock)[Symbol.dispose](); // it was let in meanwhile
        throw error;
      }
      return place(clock);
    },
  };
}
