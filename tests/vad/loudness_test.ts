import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { followLoudness } from "../../src/vad/loudness.ts";
import { CLIP_NAMES, framesOf, joined, loadClip, quiet, voiceOf } from "../fixtures/speech.ts";

/** What is told of `samples`, and when it is known: milliseconds from the first sample. */
function changes(samples: Int16Array): [change: string, knownMs: number][] {
  const follow = followLoudness();
  return framesOf(samples).flatMap((frame) => {
    const change = follow(frame);
    return change ? [[change, frame.timestampMs + 20] as [string, number]] : [];
  });
}

describe("followLoudness()", () => {
  for (const name of CLIP_NAMES) {
    it(`knows the end of "${name}" within 60 ms, and takes few other moments for it`, async () => {
      const voice = voiceOf(await loadClip(name));
      for (const leadMs of [500, 507, 513]) {
        const found = changes(joined(quiet(leadMs), voice, quiet(500)));
        const endMs = leadMs + voice.length / 16;
        const fades = found.filter(([change]) => change === "fade").map(([, knownMs]) => knownMs);
        const after = (fades.at(-1) ?? Infinity) - endMs;
        assert(after > -20 && after <= 60, `known ${after} ms after the end`);
        assert(fades.length <= 7, `fades at ${fades}`);
      }
    });
  }

  it("tells of nothing in silence, nor in an even noise", () => {
    assertEquals(changes(quiet(2000)), []);
    assertEquals(changes(Int16Array.from({ length: 32_000 }, (_, at) => at % 2 ? 900 : -900)), []);
  });

  it("tells when it is loud again", () => {
    const loud = Int16Array.from({ length: 1600 }, (_, at) => at % 2 ? 9_000 : -9_000);
    assertEquals(changes(joined(loud, quiet(100), loud)), [["fade", 120], ["swell", 220]]);
  });
});
