/** A voice whose every word lasts as long, on any clock. */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { silentTextToSpeech } from "../tts/silent.ts";
import type { TextToSpeech } from "../tts/tts.ts";

/** How one reply is voiced. */
export type Voicing = "speak" | "fail" | "hang";

export const msPerWord = 250;
const firstAudioMs = 80;
/** As loud as what the microphone hears. */
const level = 1_000;

/** Speaks 250 ms a word, 80 ms after it was given a clause; as `voicings` say in order, and well when they are used up. */
export function scriptedTextToSpeech(voicings: readonly Voicing[], clock: Clock): TextToSpeech {
  const voice = silentTextToSpeech({ msPerWord, level });
  let replies = 0;
  return {
    ...voice,
    provider: "scripted",
    model: "script",
    synthesize(text, options) {
      const voicing = voicings[replies++] ?? "speak";
      return voice.synthesize(ReadableStream.from(late(text, voicing, clock, options.signal)), options);
    },
  };
}

/** The clauses of `text`, each as late as the voice is, unless that fails. */
async function* late(
  text: ReadableStream<string>,
  voicing: Voicing,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string> {
  for await (const clause of text) {
    await clock.sleep(voicing === "hang" ? Infinity : firstAudioMs, { signal });
    if (voicing === "fail") throw new StageError("tts", "the voice failed", { retryable: true });
    yield clause;
  }
}
