/** WAV files of 16-bit PCM: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html */
import type { AudioFormat } from "./frame.ts";

const HEADER_BYTES = 44;
const PCM = 1;
const EXTENSIBLE = 0xfffe;

/** 16-bit PCM with its format; channels interleaved. */
export interface WavAudio extends AudioFormat {
  readonly samples: Int16Array;
}

/** Reads a WAV file of 16-bit PCM. Throws a TypeError that says what else it found. */
export function readWav(bytes: Uint8Array): WavAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tag(bytes, 0) !== "RIFF" || tag(bytes, 8) !== "WAVE") {
    throw new TypeError("readWav(): no RIFF/WAVE header; expected a WAV file");
  }
  let format: AudioFormat | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = tag(bytes, at);
    const start = at + 8;
    const size = view.getUint32(at + 4, true);
    if (id === "fmt ") {
      if (size < 16 || start + 16 > bytes.length) {
        throw new TypeError(`readWav(): "fmt " has ${size} bytes; expected 16`);
      }
      format = readFormat(view, start, size);
    } else if (id === "data") {
      if (!format) throw new TypeError(`readWav(): "data" comes before "fmt "`);
      return { ...format, samples: readSamples(view, start, size, format.channels) };
    }
    at = start + size + size % 2; // chunks are padded to an even length
  }
  throw new TypeError(`readWav(): no ${format ? `"data"` : `"fmt "`} chunk`);
}

/** Writes a WAV file of 16-bit PCM. */
export function writeWav({ samples, sampleRate, channels }: WavAudio): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  put(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  put(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, i) => view.setInt16(HEADER_BYTES + i * 2, sample, true));
  return bytes;
}

function readFormat(view: DataView, at: number, size: number): AudioFormat {
  const tagged = view.getUint16(at, true);
  // The extensible form names its encoding in a GUID that begins with the plain form's number.
  const encoding = tagged === EXTENSIBLE && size >= 40 ? view.getUint16(at + 24, true) : tagged;
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  if (encoding !== PCM || bits !== 16) {
    throw new TypeError(`readWav(): encoding ${encoding} with ${bits} bits; expected PCM (1) with 16 bits`);
  }
  if (channels === 0 || sampleRate === 0) {
    throw new TypeError(`readWav(): ${channels} channels at ${sampleRate} Hz; expected at least one of each`);
  }
  return { sampleRate, channels };
}

/** As many whole samples as there are: a file whose writer did not come to its end declares more, or 0xffffffff. */
function readSamples(view: DataView, at: number, size: number, channels: number): Int16Array {
  const perSample = channels * 2;
  const count = Math.floor(Math.min(size, view.byteLength - at) / perSample) * channels;
  const samples = new Int16Array(count);
  for (let i = 0; i < count; i++) samples[i] = view.getInt16(at + i * 2, true);
  return samples;
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
