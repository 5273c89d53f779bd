/** Sounds of an agent's own, as they are played behind its voice. */
import { messageOf } from "../errors.ts";
import { resample } from "./resample.ts";
import { readWav, type WavAudio } from "./wav.ts";

/** A sound: a WAV file of 16-bit PCM, or its samples. */
export type SoundSource =
  /** Its path from the working directory, or its URL (`new URL("office.wav", import.meta.url)`). */
  | { readonly file: string | URL }
  /** Channels interleaved; one when it is left out. */
  | { readonly samples: Int16Array; readonly sampleRate: number; readonly channels?: number };

/** How much of a loop's end is laid over its beginning. */
const SEAM_MS = 50;

type Loop = Promise<Int16Array<ArrayBuffer>>;
const fromFiles = new Map<string, Loop>();
const fromSamples = new WeakMap<Int16Array, Map<string, Loop>>();

/**
 * The sound in one channel at `sampleRate`, made so that it can be repeated without a click: its last 50 ms fade into
 * its first. That is done once in a process (about 5 ms of work for each second of it). Rejects with an Error that says
 * what is wrong with it.
 */
export function loadLoop(source: SoundSource, sampleRate: number): Loop {
  if ("file" in source) {
    return once(fromFiles, `${source.file} ${sampleRate}`, () => readLoop(source.file, sampleRate));
  }
  const { samples, channels = 1 } = source;
  const loops = fromSamples.get(samples) ?? new Map<string, Loop>();
  fromSamples.set(samples, loops);
  const key = [source.sampleRate, channels, sampleRate].join(" ");
  return once(loops, key, () => Promise.try(loopOf, { ...source, channels }, sampleRate));
}

function once(loops: Map<string, Loop>, key: string, load: () => Loop): Loop {
  let loading = loops.get(key);
  if (!loading) {
    loading = load();
    loops.set(key, loading);
    loading.catch(() => loops.delete(key));
  }
  return loading;
}

async function readLoop(file: string | URL, sampleRate: number): Promise<Int16Array<ArrayBuffer>> {
  try {
    return loopOf(readWav(await Deno.readFile(file)), sampleRate);
  } catch (error) {
    throw new Error(`the sound ${file} cannot be played: ${messageOf(error)}`, { cause: error });
  }
}

function loopOf(audio: WavAudio, sampleRate: number): Int16Array<ArrayBuffer> {
  const samples = resample(oneChannel(audio), audio.sampleRate, sampleRate);
  if (samples.length < 2) throw new TypeError("it holds no sound");
  return seamless(samples, Math.min(Math.round(SEAM_MS * sampleRate / 1000), samples.length >> 1));
}

function oneChannel({ samples, channels }: WavAudio): Int16Array {
  if (channels === 1) return samples;
  return Int16Array.from({ length: samples.length / channels }, (_, i) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += samples[i * channels + channel] ?? 0;
    return Math.round(sum / channels);
  });
}

/** Lays the last `seam` samples over the first, so that the sample after the last is the one that was after it. */
function seamless(samples: Int16Array, seam: number): Int16Array<ArrayBuffer> {
  const length = samples.length - seam;
  return Int16Array.from({ length }, (_, i) => {
    const sample = samples[i] ?? 0;
    if (i >= seam) return sample;
    const share = i / seam;
    return Math.round(sample * share + (samples[length + i] ?? 0) * (1 - share));
  });
}
