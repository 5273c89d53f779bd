import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { gapOf, silenceFinder } from "../src/silences.ts";

/** What is found in a reply that is looked at every 100 ms, `played(ms)` saying how much of it was heard by then. */
function found(played: (ms: number) => number, untilMs = 6_000): string[] {
  const look = silenceFinder();
  const silences: string[] = [];
  for (let ms = 0; ms <= untilMs; ms += 100) {
    const silence = look(1_000 + ms, played(ms));
    if (silence) silences.push(`${silence.ms} from ${silence.fromMs}`);
  }
  return silences;
}

/** Sound that stands still from `fromMs` to `toMs`. */
const still = (fromMs: number, toMs: number) => (ms: number) => ms - Math.max(0, Math.min(ms, toMs) - fromMs);

describe("the silences inside a reply", () => {
  it("are told exactly, once the sound goes on", () => {
    assertEquals(found(still(1_030, 2_570)), ["1540 from 2030"]);
    assertEquals(found((ms) => still(500, 1_500)(ms) - Math.max(0, Math.min(ms, 5_000) - 3_000)), [
      "1000 from 1500",
      "2000 from 4000",
    ]);
  });

  it("are not told of what is short, goes on to the end, or adds up from jitter", () => {
    assertEquals(found(still(1_030, 1_300)), []);
    assertEquals(found(still(1_030, Infinity)), []);
    assertEquals(found((ms) => ms * 0.97), []);
  });

  const cases: Record<string, [given: Parameters<typeof gapOf>[1], expected: number[]]> = {
    "the user seemed to speak": [{ holds: [{ fromMs: 1_000, toMs: 3_000 }], late: undefined }, [
      2_000,
      0,
      0,
      0,
    ]],
    "no words": [{ holds: [], late: { atMs: 3_000, clauseMs: 2_900 } }, [0, 1_900, 100, 0]],
    "no audio": [{ holds: [], late: { atMs: 2_950, clauseMs: 500 } }, [0, 0, 1_950, 50]],
    "the room did not play": [{ holds: [], late: undefined }, [0, 0, 0, 2_000]],
    "both": [{ holds: [{ fromMs: 900, toMs: 1_400 }], late: { atMs: 3_000, clauseMs: 2_500 } }, [
      400,
      1_500,
      100,
      0,
    ]],
  };
  for (const [name, [given, expected]] of Object.entries(cases)) {
    it(`are made of parts that sum to them: ${name}`, () => {
      const { ms, heldMs, llmMs, ttsMs, playoutMs } = gapOf({ fromMs: 1_000, ms: 2_000 }, given);
      assertEquals([heldMs, llmMs, ttsMs, playoutMs], expected);
      assertEquals(heldMs + llmMs + ttsMs + playoutMs, ms);
    });
  }
});
