/** Replies as a voice speaks them, collected. */
import { liveStream } from "../../src/audio/live.ts";
import type { SpeechEvent, TextToSpeech, WordTime } from "../../src/tts/tts.ts";

/** What came of a reply. */
export interface Spoken {
  readonly events: SpeechEvent[];
  readonly samples: number[];
  readonly marks: number[];
  readonly words: WordTime[];
  /** The failure, or undefined. */
  readonly error: unknown;
}

/** A reply that is under way; `text` takes more of it, or ends it. */
export function reply(tts: TextToSpeech, ...clauses: string[]) {
  const text = liveStream<{ text: string }>({ limit: Infinity });
  const abort = new AbortController();
  const words = text.readable.pipeThrough(
    new TransformStream<{ text: string }, string>({
      transform: ({ text }, controller) => controller.enqueue(text),
    }),
  );
  const events: SpeechEvent[] = [];
  const stream = tts.synthesize(words, { signal: abort.signal });
  const first = Promise.withResolvers<void>();
  const done = (async (): Promise<Spoken> => {
    let error: unknown;
    try {
      for await (const event of stream) {
        events.push(event);
        if (event.type === "audio") first.resolve();
      }
    } catch (thrown) {
      error = thrown;
    }
    first.resolve();
    const samples = events.flatMap((event) => event.type === "audio" ? [...event.frame.samples] : []);
    const marks = events.flatMap((event) => event.type === "mark" ? [event.characters] : []);
    const words = events.flatMap((event) => event.type === "words" ? event.words : []);
    return { events, samples, marks, words, error };
  })();
  for (const clause of clauses) text.push({ text: clause });
  return { text, abort, done, firstAudio: first.promise };
}

/** A whole reply. */
export function say(tts: TextToSpeech, ...clauses: string[]): Promise<Spoken> {
  const { text, done } = reply(tts, ...clauses);
  text.close();
  return done;
}
