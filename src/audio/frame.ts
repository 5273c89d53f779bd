/** Audio as it flows between stages: short frames of 16-bit PCM. */

/** What a stage expects or delivers. */
export interface AudioFormat {
  /** Samples a second, for each channel. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** A run of 16-bit PCM samples, channels interleaved. */
export interface AudioFrame extends AudioFormat {
  readonly samples: Int16Array;
  /** When the first sample was captured, in milliseconds of the session's clock; 0 for synthesized audio. */
  readonly timestampMs: number;
}

/** How long `frame` lasts, in milliseconds. */
export function durationMs(frame: AudioFrame): number {
  return frame.samples.length / frame.channels / frame.sampleRate * 1000;
}

/** How many samples (all channels) `ms` milliseconds of `format` take, rounded to a whole sample of each channel. */
export function samplesIn(ms: number, format: AudioFormat): number {
  return Math.round(ms * format.sampleRate / 1000) * format.channels;
}

/** The samples of `frames`, one after the other. */
export function joined(frames: readonly AudioFrame[]): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(frames.reduce((sum, frame) => sum + frame.samples.length, 0));
  let at = 0;
  for (const frame of frames) {
    samples.set(frame.samples, at);
    at += frame.samples.length;
  }
  return samples;
}
