import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { framesOf, sampleReader } from "../../src/audio/pcm.ts";

describe("sampleReader()", () => {
  const samples = Int16Array.of(1, -1, 32_767, -32_768, 258, -300);
  const bytes = new Uint8Array(samples.buffer);
  for (const sizes of [[12], [1], [3], [5, 1], [2], [7]]) {
    it(`keeps samples whole in pieces of ${sizes.join(" and ")} bytes`, () => {
      const read = sampleReader();
      const got: number[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        got.push(...read(bytes.subarray(at, at + size)));
        at += size;
      }
      assertEquals(got, [...samples]);
    });
  }
});

describe("framesOf()", () => {
  const format = { sampleRate: 1_000, channels: 2 };
  for (const [length, lengths] of [[0, []], [10, [10]], [20, [20]], [50, [20, 20, 10]]] as const) {
    it(`cuts ${length} samples into ${lengths.length} frames of up to 10 ms`, () => {
      const frames = [...framesOf(new Int16Array(length).map((_, i) => i), format, 10)];
      assertEquals(frames.map(({ samples }) => samples.length), [...lengths]);
      assertEquals(frames.flatMap(({ samples }) => [...samples]), Array.from({ length }, (_, i) => i));
    });
  }
});
