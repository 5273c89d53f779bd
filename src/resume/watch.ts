/** Looking for something again and again. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";

export interface WatchOptions {
  /** Looks once; settles with the milliseconds until it is to look again, at the longest. */
  readonly look: () => Promise<number>;
  /** The failure of it, in words for the log, which has it once in a row. */
  readonly failure: string;
  /** How soon it looks again after one, in milliseconds. */
  readonly againMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Looks from now on. Disposing of it ends that. */
export function watch({ look, failure, againMs, clock, log }: WatchOptions): AsyncDisposable {
  const over = new AbortController();
  let isKnown = true;
  const lookOnce = async (): Promise<number> => {
    try {
      const ms = await look();
      isKnown = true;
      return ms;
    } catch (error) {
      if (isKnown) log.warn({ error }, failure);
      isKnown = false;
      return againMs;
    }
  };
  const run = async () => {
    while (!over.signal.aborted) {
      const ms = await lookOnce();
      await clock.sleep(ms, { signal: over.signal }).catch(() => {}); // it is over: the loop ends
    }
  };
  const done = run();
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await done;
    },
  };
}
