/** A voice that cannot be heard, for where words are read: it takes its time as any other. */
import type { SpeechEvent, TextToSpeech } from "./tts.ts";

const output = { sampleRate: 24_000, channels: 1 };
const chunkMs = 100;

/** Speaks each word in `msPerWord` milliseconds, a multiple of 10. `level`: the value of each sample (default 0: silence). */
export function silentTextToSpeech(
  { msPerWord, level = 0 }: { readonly msPerWord: number; readonly level?: number },
): TextToSpeech {
  return {
    provider: "silent",
    model: "silence",
    output,
    synthesize: (text) => ReadableStream.from(speak(text, msPerWord, level)),
  };
}

async function* speak(
  text: ReadableStream<string>,
  msPerWord: number,
  level: number,
): AsyncGenerator<SpeechEvent> {
  let characters = 0;
  for await (const clause of text) {
    const words = clause.match(/\S+/g)?.length ?? 0;
    for (let left = words * msPerWord; left > 0; left -= chunkMs) {
      const samples = new Int16Array(Math.min(left, chunkMs) * output.sampleRate / 1000).fill(level);
      yield { type: "audio", frame: { ...output, samples, timestampMs: 0 } };
    }
    characters += clause.length;
    yield { type: "mark", characters };
  }
}
