/** What an agent says first of all: its voice makes it while the agent is on its way into the room. */
import type { Cast } from "./charge.ts";
import { spokenTextOf } from "./pipeline.ts";
import { wordsOf } from "./speech.ts";
import type { SpeechEvent, TextToSpeech } from "./tts/tts.ts";

export interface Greeting {
  readonly text: string;
  /** Speaks that text, once: what was made of it by now is there at once. */
  readonly tts: TextToSpeech;
}

/** Begins to make the greeting of `cast`; undefined when its agent has none. Aborting `signal` ends that. */
export function makeGreeting(
  { agent: { greeting: text }, providers: { tts }, spokenForm }: Pick<
    Cast,
    "agent" | "providers" | "spokenForm"
  >,
  { signal }: { readonly signal: AbortSignal },
): Greeting | undefined {
  if (!text) return undefined;
  const heard = Promise.withResolvers<number>();
  const unwanted = new AbortController();
  const life = AbortSignal.any([signal, unwanted.signal]);
  const clauses = spokenTextOf(wordsOf(text)(life), { tts, spokenForm });
  const made = tts.synthesize(clauses, { signal: life, heardMs: heard.promise }).pipeThrough(kept());
  return {
    text,
    tts: {
      ...tts,
      synthesize(same, { signal, heardMs }) {
        heardMs?.then(heard.resolve);
        if (signal.aborted) unwanted.abort(signal.reason);
        signal.addEventListener("abort", () => unwanted.abort(signal.reason), { once: true });
        const { readable, writable } = new TransformStream<SpeechEvent, SpeechEvent>();
        // Its words come first, as if they had been spoken now.
        same.pipeTo(new WritableStream()).then(() => made.pipeTo(writable)).catch((error) =>
          writable.abort(error)
        );
        return readable;
      },
    },
  };
}

/** Takes all there is, and keeps it until it is asked for. */
const kept = () =>
  new TransformStream<SpeechEvent, SpeechEvent>(
    {},
    undefined,
    new CountQueuingStrategy({ highWaterMark: Infinity }),
  );
