/** Time is an input: everything that waits or measures is handed a Clock, so that tests can move it. */

export interface Clock {
  /** Milliseconds; only differences mean anything. Never goes backwards. */
  now(): number;
  /** Calls `callback` once, `ms` milliseconds from now, unless disposed before. */
  after(ms: number, callback: () => void): Disposable;
  /** Settles after `ms` milliseconds; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
}

/**
 * Builds a Clock on any timer. A throw inside a callback becomes a rejection made where the timer was set, so that it
 * is attributed to its session: a synchronous throw in a timer would arrive without its async context.
 */
export function clockFrom(
  now: () => number,
  setTimer: (ms: number, callback: () => void) => () => void,
): Clock {
  const after = (ms: number, callback: () => void): Disposable => {
    const clear = setTimer(Math.max(0, ms), () => {
      try {
        callback();
      } catch (error) {
        Promise.reject(error);
      }
    });
    return { [Symbol.dispose]: clear };
  };
  const sleep = (ms: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer[Symbol.dispose]();
        reject(signal?.reason);
      };
      const timer = after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  return { now, after, sleep };
}

/** The machine's own monotonic clock. */
export const systemClock: Clock = clockFrom(() => performance.now(), (ms, callback) => {
  const id = setTimeout(callback, ms);
  return () => clearTimeout(id);
});

/** Wall-clock time, for what leaves the process (reports, logs, tokens): milliseconds since 1970. */
export const wallTime = (): number => Date.now();
