import type { LanguageEvent } from "./llm.ts";

/**
 * What `generate` makes, as a stream. It is begun at once: the request leaves before anybody reads. Its own signal aborts
 * with `signal`, and when the stream is cancelled.
 */
export function answerStream(
  generate: (signal: AbortSignal) => AsyncGenerator<LanguageEvent>,
  signal: AbortSignal,
): ReadableStream<LanguageEvent> {
  const cancelled = new AbortController();
  const events = generate(AbortSignal.any([signal, cancelled.signal]));
  let first: Promise<IteratorResult<LanguageEvent>> | undefined = events.next();
  return new ReadableStream<LanguageEvent>({
    async pull(controller) {
      const next = first ?? events.next();
      first = undefined;
      const { done, value } = await next;
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      cancelled.abort();
      await events.return(undefined);
    },
  }, { highWaterMark: 1 });
}
