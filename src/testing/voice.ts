/** A voice whose every word lasts as long, on any clock. */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { SpeechEvent, TextToSpeech } from "../tts/tts.ts";

/** How one reply is voiced. */
export type Voicing = "speak" | "fail" | "hang";

export const msPerWord = 250;
const firstAudioMs = 80;
const format = { sampleRate: 24_000, channels: 1 };

/** Speaks 250 ms a word, 80 ms after it was given a clause; as `voicings` say in order, and well when they are used up. */
export function scriptedTextToSpeech(voicings: readonly Voicing[], clock: Clock): TextToSpeech {
  let replies = 0;
  return {
    provider: "scripted",
    model: "script",
    output: format,
    synthesize: (text, { signal }) =>
      ReadableStream.from(synthesize(text, voicings[replies++] ?? "speak", clock, signal)),
  };
}

async function* synthesize(
  text: ReadableStream<string>,
  voicing: Voicing,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent> {
  let characters = 0;
  for await (const clause of text) {
    await clock.sleep(voicing === "hang" ? 1e9 : firstAudioMs, { signal });
    if (voicing === "fail") throw new StageError("tts", "the voice failed", { retryable: true });
    const words = clause.match(/\S+/g)?.length ?? 0;
    for (let left = words * msPerWord; left > 0; left -= 100) {
      const samples = new Int16Array(Math.min(left, 100) * format.sampleRate / 1000).fill(1_000);
      yield { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
    }
    characters += clause.length;
    yield { type: "mark", characters };
  }
}
