/** A voice that needs no key: Flite in WebAssembly, on this machine. English only. */
import { ConfigError } from "../errors.ts";
import { sharedWorker } from "../worker.ts";
import { perClause } from "./per_clause.ts";
import type { TextToSpeech } from "./tts.ts";

/** The voices that Flite brings at 16 kHz. `slt` is a woman's, the others are men's. */
export const fliteVoices = ["slt", "rms", "awb", "kal16"] as const;
export type FliteVoice = typeof fliteVoices[number];

/** What the thread is asked; it answers with samples in the format `fliteOutput`. */
export interface FliteRequest {
  readonly text: string;
  readonly voice: FliteVoice;
}

/** Flite makes 16 kHz; the thread brings it to the rate that the rooms play. */
export const fliteOutput = { sampleRate: 24_000, channels: 1 } as const;

const holdFlite = sharedWorker<FliteRequest, Int16Array<ArrayBuffer>>({
  url: new URL("./flite_worker.ts", import.meta.url),
  name: "flite",
  stage: "tts",
});

/**
 * Flite (https://github.com/festvox/flite), in a thread that all calls share: it starts with the first session or reply
 * that uses it (about 150 ms) and ends with the last. Throws a ConfigError when there is no such voice.
 */
export function fliteTextToSpeech({ voice = "slt" }: { readonly voice?: string } = {}): TextToSpeech {
  const known = fliteVoices.find((name) => name === voice);
  if (!known) throw new ConfigError(`flite has no voice "${voice}"; expected ${fliteVoices.join(", ")}`);
  const tts: TextToSpeech = {
    provider: "flite",
    model: known,
    output: fliteOutput,
    synthesize: (text, { signal }) =>
      perClause(text, {
        async *speak(clause, { signal }) {
          using flite = holdFlite();
          yield await flite.ask({ text: clause, voice: known }, { signal });
        },
        hold: holdFlite,
        format: fliteOutput,
        signal,
      }),
    connect({ signal }) {
      if (!signal.aborted) {
        const flite = holdFlite();
        signal.addEventListener("abort", () => flite[Symbol.dispose](), { once: true });
      }
      return tts;
    },
  };
  return tts;
}
