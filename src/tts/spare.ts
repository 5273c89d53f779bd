/** The voice of the few words that are said when something has failed: they are kept as sound, since the voice may be what failed. */
import { untilAborted } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { fallbackTextToSpeech } from "./fallback.ts";
import type { SpeechEvent, TextToSpeech } from "./tts.ts";

/** So much is kept at the most: texts, the oldest go first, and milliseconds of sound of each. */
const most = { texts: 64, audioMs: 20_000 } as const;
/** Where nothing is kept, the voice has so long to begin before the one on this machine speaks; milliseconds. */
const firstSoundMs = 2_000;

/** What says the words in place of the voice: its own sound from before, or a voice on this machine. */
export type SpareSource = "kept" | "local";

export interface SpareVoice extends TextToSpeech {
  /** Says what is kept of it, else asks the voice, else the local one. `onSource`: told when it is not the voice. */
  synthesize(
    text: ReadableStream<string>,
    options: { readonly signal: AbortSignal; readonly onSource?: (source: SpareSource) => void },
  ): ReadableStream<SpeechEvent>;
  /** Has the voice speak those clauses, to be kept for all sessions, unless they are; rejects as the voice fails. */
  prepare(clauses: readonly string[], options: { readonly signal: AbortSignal }): Promise<void>;
  /** The same with its voice wrapped; `onFallback` is told of failures that the local one made good. */
  with(
    wrap: (voice: TextToSpeech) => TextToSpeech,
    onFallback?: (error: StageError) => void,
  ): SpareVoice;
}

export interface SpareVoicesOptions {
  readonly clock: Clock;
  /** The voice on this machine. */
  readonly local: TextToSpeech;
}

/** Makes spare voices, which share what is kept. `key`: the same for the same voice. */
export function createSpareVoices(
  { clock, local }: SpareVoicesOptions,
): (key: string, voice: TextToSpeech) => SpareVoice {
  const kept = new Map<string, readonly SpeechEvent[]>();
  const making = new Set<string>();

  const spareOf = (
    voiceKey: string,
    voice: TextToSpeech,
    onFallback?: (error: StageError) => void,
  ): SpareVoice => {
    const { provider, model, output } = voice;
    const keyOf = (clauses: readonly string[]) => JSON.stringify([voiceKey, clauses.join("")]);
    const isAlike = local.output.sampleRate === output.sampleRate &&
      local.output.channels === output.channels;

    async function* speak(
      text: ReadableStream<string>,
      { signal, onSource }: Parameters<SpareVoice["synthesize"]>[1],
    ): AsyncGenerator<SpeechEvent> {
      const clauses = await Array.fromAsync(untilAborted(text, signal));
      const events = kept.get(keyOf(clauses));
      if (events) {
        onSource?.("kept");
        return yield* events;
      }
      const either = fallbackTextToSpeech(isAlike ? [voice, local] : [voice], {
        clock,
        firstResultMs: firstSoundMs,
        onFallback(error) {
          onSource?.("local");
          onFallback?.(error);
        },
      });
      yield* either.synthesize(ReadableStream.from(clauses), { signal });
    }

    return {
      provider,
      model,
      output,
      synthesize: (text, options) => ReadableStream.from(speak(text, options)),
      async prepare(clauses, { signal }) {
        const key = keyOf(clauses);
        if (clauses.length === 0 || kept.has(key) || making.has(key)) return;
        making.add(key);
        try {
          const events = await heard(voice.synthesize(ReadableStream.from(clauses), { signal }));
          if (signal.aborted || events.length === 0) return;
          kept.set(key, events);
          const [oldest] = kept.keys();
          if (kept.size > most.texts && oldest !== undefined) kept.delete(oldest);
        } finally {
          making.delete(key);
        }
      },
      with: (wrap, onFallback) => spareOf(voiceKey, wrap(voice), onFallback),
    };
  };
  return (key, voice) => spareOf(key, voice);
}

/** All that a voice brings. Fails where that is too long to be kept. */
async function heard(speech: ReadableStream<SpeechEvent>): Promise<readonly SpeechEvent[]> {
  const events: SpeechEvent[] = [];
  let audioMs = 0;
  for await (const event of speech) {
    events.push(event);
    if (event.type === "audio") audioMs += durationMs(event.frame);
    if (audioMs > most.audioMs) {
      throw new StageError("tts", `an apology lasts longer than ${most.audioMs / 1000} s: it is not kept`);
    }
  }
  return audioMs > 0 ? events : [];
}
