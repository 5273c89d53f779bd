/** What voices have in common that take one request a clause. */
import { abortable } from "../abort.ts";
import type { AudioFormat } from "../audio/frame.ts";
import { framesOf } from "../audio/pcm.ts";
import { asStageError } from "../errors.ts";
import { frameMs, sounds } from "./speaking.ts";
import type { SpeechEvent } from "./tts.ts";

/** Speaks one clause; what it yields may have any length. Aborting `signal` ends it. */
export type SpeakClause = (
  clause: string,
  options: { readonly signal: AbortSignal },
) => AsyncIterable<Int16Array>;

export interface PerClauseOptions {
  readonly speak: SpeakClause;
  /** Held from the moment the reply is read until it ends. */
  readonly hold?: () => Disposable;
  /** What `speak` yields. */
  readonly format: AudioFormat;
  readonly signal: AbortSignal;
}

interface Spoken {
  readonly clause: string;
  readonly audio: AsyncIterator<Int16Array>;
  /** Asked for when the clause came, so that it is made while the clause before plays. */
  readonly first: Promise<IteratorResult<Int16Array>>;
}

/**
 * Speaks `text` clause by clause, in order, with a mark after each. The next clause is begun as soon as it is there and
 * the one before is being delivered: two are under way at most. Clauses without a letter or digit are passed over.
 */
export function perClause(
  text: ReadableStream<string>,
  options: PerClauseOptions,
): ReadableStream<SpeechEvent> {
  const { signal } = options;
  const over = new AbortController();
  const events = generate(text, { ...options, signal: AbortSignal.any([signal, over.signal]) }, over);
  return new ReadableStream<SpeechEvent>({
    async pull(controller) {
      try {
        const { done, value } = await events.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw asStageError("tts", error);
      }
    },
    async cancel(reason) {
      over.abort(reason);
      await events.return(undefined);
    },
  }, { highWaterMark: 0 });
}

async function* generate(
  text: ReadableStream<string>,
  { speak, hold, format, signal }: PerClauseOptions,
  over: AbortController,
): AsyncGenerator<SpeechEvent, undefined> {
  using _held = hold?.();
  const reader = text.getReader();
  const begin = async (): Promise<Spoken | undefined> => {
    const { done, value: clause } = await abortable(reader.read(), signal);
    if (done) return undefined;
    const audio = (sounds(clause) ? speak(clause, { signal }) : silence())[Symbol.asyncIterator]();
    return { clause, audio, first: observed(audio.next()) };
  };
  let characters = 0;
  try {
    for (let next = begin();;) {
      const current = await next;
      if (!current) return;
      next = observed(begin());
      for (let part = await current.first; !part.done; part = await current.audio.next()) {
        for (const frame of framesOf(part.value, format, frameMs)) yield { type: "audio", frame };
      }
      characters += current.clause.length;
      yield { type: "mark", characters };
    }
  } finally {
    over.abort();
    observed(reader.cancel()); // not waited for: a model that is slow to end must not keep a failure from being told
  }
}

/** A failure is thrown where the result is awaited; where it is not, the reply has failed or ended already. */
function observed<T>(result: Promise<T>): Promise<T> {
  result.catch(() => {});
  return result;
}

async function* silence(): AsyncGenerator<Int16Array> {}
