import type { Clock } from "./clock.ts";

/**
 * Settles as `work` does, or rejects with the signal's reason as soon as it aborts: what ignores its signal holds nobody.
 * `letGo` is given what it brings after that, if it brings anything.
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal,
  letGo?: (late: T) => void | Promise<void>,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => {
    aborted.reject(signal.reason);
    // Nobody waits for it any more: neither a failure of it nor one in letting go of it is anybody's.
    if (letGo) work.then(letGo).catch(() => {});
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Settles when `work` has settled, `ms` have passed or `signal` aborts, whichever is first; rejects only as `work` does. */
export async function within(
  ms: number,
  work: Promise<unknown>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) return;
  const over = Promise.withResolvers<void>();
  const giveUp = () => over.resolve();
  using _ = clock.after(ms, giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await Promise.race([work, over.promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/**
 * What `stream` brings, until `signal` aborts: then it fails with the signal's reason and lets go of `stream`, whether or
 * not that takes notice.
 */
export function untilAborted<T>(stream: ReadableStream<T>, signal: AbortSignal): ReadableStream<T> {
  const reader = stream.getReader();
  const letGo = (reason: unknown) => void reader.cancel(reason).catch(() => {}); // it has failed already, and said so
  if (signal.aborted) letGo(signal.reason);
  else signal.addEventListener("abort", () => letGo(signal.reason), { once: true });
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await abortable(reader.read(), signal);
      signal.throwIfAborted(); // what was let go of ends as if it were over
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: letGo,
  }, { highWaterMark: 0 });
}

/** What `generate` yields, as it is read; its signal aborts with `signal`, and when the reader gives up. */
export function generated<T>(
  signal: AbortSignal,
  generate: (signal: AbortSignal) => AsyncGenerator<T, void>,
): ReadableStream<T> {
  const over = new AbortController();
  const items = generate(AbortSignal.any([signal, over.signal]));
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await items.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel(reason) {
      over.abort(reason);
      await items.return();
    },
  }, { highWaterMark: 0 });
}
