/** The user's voice in a test: it is silent until something is said. */
import { type AudioFrame, durationMs, samplesIn } from "../audio/frame.ts";
import { resample } from "../audio/resample.ts";
import { readWav, type WavAudio } from "../audio/wav.ts";
import type { Clock } from "../clock.ts";
import { loadSilero, sileroDetector, type SileroModel } from "../vad/silero.ts";
import type { VoiceActivityDetector, VoiceOptions } from "../vad/vad.ts";
import type { Utterance } from "./recognizer.ts";
import { frameMs, loudnessDetector, microphoneFrame } from "./speech.ts";

/** Sound to be heard: a WAV file of one channel, or samples of 16 kHz. */
export type Sound = Uint8Array | Int16Array;

const format = { sampleRate: 16_000, channels: 1 };

export interface Microphone extends Disposable {
  /** What is said, for the recognizer to know. */
  readonly utterances: readonly Utterance[];
  /** Says `text` in `ms` milliseconds from now on; returns when that ends. */
  say(text: string, ms: number): number;
  /** Plays `sound`, in which `text` is said, from now on; returns when that ends. */
  play(sound: Sound, text: string): number;
}

/**
 * A microphone that is open until it is disposed of. Where there are several, `voice` is its number, and `utterances` are
 * those of all.
 */
export function openMicrophone(
  hear: (frame: AudioFrame) => void,
  clock: Clock,
  { voice = 0, utterances = [] }: { readonly voice?: number; readonly utterances?: Utterance[] } = {},
): Microphone {
  let playing: { readonly fromMs: number; readonly samples: Int16Array } | undefined;
  const frameAt = (atMs: number): AudioFrame => {
    const sound = playing && playedAt(playing.samples, atMs - playing.fromMs);
    if (sound) return { ...format, samples: sound, timestampMs: atMs };
    return microphoneFrame(
      atMs,
      utterances.some((one) => !one.sound && one.voice === voice && one.fromMs <= atMs && atMs < one.toMs),
      voice,
    );
  };
  const listen = () => {
    hear(frameAt(clock.now() - frameMs));
    timer = clock.after(frameMs, listen);
  };
  let timer = clock.after(frameMs, listen);
  const begin = (text: string, ms: number, more: Pick<Utterance, "sound"> = {}) => {
    const fromMs = clock.now();
    utterances.push({ fromMs, toMs: fromMs + ms, words: text.match(/\S+/g) ?? [], voice, ...more });
    return fromMs + ms;
  };
  return {
    utterances,
    say: begin,
    play(sound, text) {
      const samples = sound instanceof Int16Array ? sound : monoSamples(readWav(sound));
      playing = { fromMs: clock.now(), samples };
      return begin(text, durationMs({ ...format, samples, timestampMs: 0 }), { sound: true });
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}

/** One frame of `samples`, filled up with silence; undefined outside of them. */
function playedAt(samples: Int16Array, ms: number): Int16Array | undefined {
  const from = samplesIn(ms, format);
  if (from < 0 || from >= samples.length) return undefined;
  const frame = new Int16Array(samplesIn(frameMs, format));
  frame.set(samples.subarray(from, from + frame.length));
  return frame;
}

function monoSamples({ samples, sampleRate, channels }: WavAudio): Int16Array {
  if (channels === 1) return resample(samples, sampleRate, format.sampleRate);
  throw new TypeError(`userAudio(): the file has ${channels} channels; expected 1`);
}

/** What finds the voice, and whether it has come to the end of what it was given. */
export interface Ears {
  readonly vad: VoiceActivityDetector;
  /** Whether they are for real sound. */
  readonly real: boolean;
  /** Settles when all that was heard so far was looked at. */
  caughtUp(): Promise<void>;
}

/** Ears that take what is said for a voice and nothing else; for real sound, the server's own detector. */
export async function earsFor(
  kind: "silero" | undefined,
  options: VoiceOptions | VoiceActivityDetector = {},
): Promise<Ears> {
  const given = "detect" in options ? {} : options;
  if (kind === undefined) {
    return {
      vad: loudnessDetector(given),
      real: false,
      caughtUp: () => Promise.resolve(),
    };
  }
  const looking = new Set<Promise<number>>();
  const model = watched(await loadSilero(), looking);
  return {
    vad: sileroDetector({ ...given, model }),
    real: true,
    async caughtUp() {
      while (looking.size > 0) await Promise.allSettled(looking);
    },
  };
}

function watched(model: SileroModel, looking: Set<Promise<number>>): SileroModel {
  return {
    open() {
      const stream = model.open();
      return {
        ...stream,
        async probability(window, options) {
          const found = stream.probability(window, options);
          looking.add(found);
          try {
            return await found;
          } finally {
            looking.delete(found);
          }
        },
      };
    },
  };
}
