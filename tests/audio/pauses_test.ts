import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { pauseFinder } from "../../src/audio/pauses.ts";

const sampleRate = 16_000;

/** A voice that is loud for so long, then silent, and so on, in frames that fit no pause. */
function said(...turnsMs: number[]) {
  const pauses = pauseFinder();
  const samples = turnsMs.flatMap((ms, i) => Array(ms * 16).fill(i % 2 === 0 ? 5_000 : 20));
  for (let at = 0; at < samples.length; at += 333) {
    pauses.take({
      samples: Int16Array.from(samples.slice(at, at + 333)),
      sampleRate,
      channels: 1,
      timestampMs: 0,
    });
  }
  return pauses;
}

const cases: [what: string, turnsMs: number[], between: [number, number], expected: number | undefined][] = [
  ["where a pause begins", [1_000, 300, 1_000], [900, 1_400], 1_020],
  ["the longest of them", [800, 60, 140, 200, 1_000], [750, 1_250], 1_020],
  ["what of it lies between the two", [1_000, 300, 1_000], [1_100, 1_400], 1_120],
  ["none that lies elsewhere", [1_000, 300, 3_000], [2_000, 2_400], undefined],
  ["none between the sounds of a word", [1_000, 30, 1_000], [900, 1_200], undefined],
  ["none before there is any sound", [], [0, 100], undefined],
];

describe("the pauses of a voice", () => {
  for (const [what, turnsMs, [fromMs, untilMs], expected] of cases) {
    it(`are found: ${what}`, () => assertEquals(said(...turnsMs).between(fromMs, untilMs, 40), expected));
  }
});
