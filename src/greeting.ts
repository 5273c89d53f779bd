/** What is said first of all: the voice makes it while the agent is on its way into the room. */
import type { Cast } from "./charge.ts";
import { spokenTextOf } from "./pipeline.ts";
import { firstWords } from "./resume/conversation.ts";
import type { Resume } from "./session_parts.ts";
import { wordsOf } from "./speech.ts";
import type { SpeechEvent, TextToSpeech } from "./tts/tts.ts";

/** A text that is being spoken before anybody is to hear it. */
export interface MadeSpeech {
  readonly text: string;
  /** Speaks that text, once: what was made of it by now is there at once. */
  readonly tts: TextToSpeech;
  /** Settles when there is sound; never when there is to be none. */
  readonly begun: Promise<void>;
  /** Settles when all of it was made, or no more is to be. */
  readonly over: Promise<void>;
  /** It is not to be heard. */
  drop(): void;
}

/** What is needed of who is in charge to speak for them. */
export type Speaking = { readonly providers: Pick<Cast["providers"], "tts"> } & Pick<Cast, "spokenForm">;

/** Begins to make `text` as `cast` speaks it. Aborting `signal` ends that. */
export function makeSpeech(
  text: string,
  { providers: { tts }, spokenForm }: Speaking,
  { signal }: { readonly signal: AbortSignal },
): MadeSpeech {
  const heard = Promise.withResolvers<number>();
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const unwanted = new AbortController();
  const life = AbortSignal.any([signal, unwanted.signal]);
  const clauses = spokenTextOf(wordsOf(text)(life), { tts, spokenForm });
  life.addEventListener("abort", () => over.resolve(), { once: true });
  /** What the voice throws at once fails the reply, as all does that comes of it later. */
  async function* spoken(): AsyncGenerator<SpeechEvent> {
    yield* tts.synthesize(clauses, { signal: life, heardMs: heard.promise });
  }
  const made = ReadableStream.from(spoken()).pipeThrough(
    kept({ onSound: begun.resolve, onEnd: over.resolve }),
  );
  return {
    text,
    begun: begun.promise,
    over: over.promise,
    drop: () => unwanted.abort(),
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

/**
 * Begins to make what `cast` says first, where that is known by now: the greeting, or what goes on with a session (see
 * SessionOptions). Aborting `signal` ends that.
 */
export function makeFirst(
  cast: Pick<Cast, "agent" | "spokenForm" | "providers">,
  { resume, signal }: { readonly resume?: Resume | undefined; readonly signal: AbortSignal },
): MadeSpeech | undefined {
  const { agent: { greeting, resumed: line, language }, spokenForm, providers: { tts, spare } } = cast;
  if (!resume) return greeting ? makeSpeech(greeting, cast, { signal }) : undefined;
  if (resume.silentlySinceMs !== undefined) return resume.made;
  resume.made?.drop(); // it follows another line
  if (typeof line === "function") return undefined;
  const text = firstWords(resume.snapshot, { line, language });
  return text === ""
    ? undefined
    : makeSpeech(text, { spokenForm, providers: { tts: spare ?? tts } }, { signal });
}

/** Takes all there is, and keeps it until it is asked for. */
const kept = ({ onSound, onEnd }: { readonly onSound: () => void; readonly onEnd: () => void }) =>
  new TransformStream<SpeechEvent, SpeechEvent>(
    {
      transform(event, controller) {
        if (event.type === "audio") onSound();
        controller.enqueue(event);
      },
      flush: onEnd,
    },
    undefined,
    new CountQueuingStrategy({ highWaterMark: Infinity }),
  );
