import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readWav, writeWav } from "../../src/audio/wav.ts";

const AUDIO = { samples: Int16Array.of(0, 1, -1, 32767, -32768, 7), sampleRate: 24000, channels: 2 };

/** `bytes` with the two or four bytes at `at` replaced. */
function patched(bytes: Uint8Array, at: number, value: number, width: 2 | 4 = 2): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  if (width === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return copy;
}

describe("WAV", () => {
  const file = writeWav(AUDIO);

  it("reads what it writes", () => assertEquals(readWav(file), AUDIO));

  it("writes the header that players expect", () => {
    const text = (from: number, to: number) => new TextDecoder().decode(file.subarray(from, to));
    const view = new DataView(file.buffer);
    assertEquals([text(0, 4), text(8, 16), text(36, 40)], ["RIFF", "WAVEfmt ", "data"]);
    assertEquals([4, 16, 24, 28, 40].map((at) => view.getUint32(at, true)), [48, 16, 24000, 96000, 12]);
    assertEquals([20, 22, 32, 34].map((at) => view.getUint16(at, true)), [1, 2, 4, 16]);
  });

  it("skips other chunks, padded to an even length", () => {
    const list = new Uint8Array([76, 73, 83, 84, 3, 0, 0, 0, 1, 2, 3, 0]);
    const bytes = new Uint8Array([...file.subarray(0, 36), ...list, ...file.subarray(36)]);
    assertEquals(readWav(bytes), AUDIO);
  });

  it("reads from the middle of a buffer, at an odd offset", () => {
    const bytes = new Uint8Array([9, 9, 9, ...file]).subarray(3);
    assertEquals(readWav(bytes), AUDIO);
  });

  it("reads as many whole samples as a stream that never ended has", () => {
    const bytes = patched(file, 40, 0xffffffff, 4);
    assertEquals(readWav(bytes), AUDIO);
    assertEquals(readWav(bytes.subarray(0, -3)).samples, AUDIO.samples.subarray(0, 4));
  });

  it("reads the extensible form", () => {
    const extension = new Uint8Array(24);
    extension[8] = 1;
    const bytes = new Uint8Array([...file.subarray(0, 36), ...extension, ...file.subarray(36)]);
    assertEquals(readWav(patched(patched(bytes, 20, 0xfffe), 16, 40, 4)), AUDIO);
  });

  const table: [what: string, bytes: Uint8Array, expected: RegExp][] = [
    ["nothing", new Uint8Array(), /no RIFF\/WAVE header/],
    ["another file", new TextEncoder().encode("OggS and then some"), /no RIFF\/WAVE header/],
    ["a file that stops before its audio", file.subarray(0, 36), /no "data" chunk/],
    ["a file without a format", file.subarray(0, 12), /no "fmt " chunk/],
    ["8 bits", patched(file, 34, 8), /encoding 1 with 8 bits; expected PCM/],
    ["floats", patched(patched(file, 20, 3), 34, 32), /encoding 3 with 32 bits; expected PCM/],
    ["no channels", patched(file, 22, 0), /0 channels at 24000 Hz/],
    ["a format cut short", patched(file, 16, 4, 4), /"fmt " has 4 bytes; expected 16/],
    [
      "audio before its format",
      new Uint8Array([...file.subarray(0, 12), ...file.subarray(36)]),
      /comes before/,
    ],
  ];
  for (const [what, bytes, expected] of table) {
    it(`refuses ${what}`, () => assertThrows(() => readWav(bytes), expected));
  }
});
