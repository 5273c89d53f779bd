/** Samples as they come over a wire. */
import { type AudioFormat, type AudioFrame, samplesIn } from "./frame.ts";

/** Reads 16-bit little-endian samples that arrive in pieces of any number of bytes. */
export function sampleReader(): (bytes: Uint8Array) => Int16Array<ArrayBuffer> {
  let rest = new Uint8Array(0);
  return (bytes) => {
    const all = new Uint8Array(rest.length + bytes.length);
    all.set(rest);
    all.set(bytes, rest.length);
    const whole = all.length - all.length % 2;
    rest = all.slice(whole);
    return new Int16Array(all.buffer, 0, whole / 2);
  };
}

/** Cuts synthesized audio into frames of up to `ms` milliseconds. */
export function* framesOf(samples: Int16Array, format: AudioFormat, ms: number): Generator<AudioFrame> {
  const size = samplesIn(ms, format);
  for (let at = 0; at < samples.length; at += size) {
    yield { ...format, samples: samples.slice(at, at + size), timestampMs: 0 };
  }
}
