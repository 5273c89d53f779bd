import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { loadLoop } from "../../src/audio/sound.ts";
import { writeWav } from "../../src/audio/wav.ts";

const tone = (length: number, sampleRate: number, hertz: number) =>
  Int16Array.from({ length }, (_, i) => Math.round(8000 * Math.sin(2 * Math.PI * hertz * i / sampleRate)));

/** The largest step between two samples that follow each other, also from the last to the first. */
function largestStep(loop: Int16Array): number {
  return loop.reduce((most, sample, i) => Math.max(most, Math.abs(sample - (loop.at(i - 1) ?? 0))), 0);
}

describe("loadLoop", () => {
  it("leaves no click where the sound begins again, whatever its length", async () => {
    for (const length of [24_000, 24_017, 31_111, 500]) {
      const loop = await loadLoop({ samples: tone(length, 24_000, 220), sampleRate: 24_000 }, 24_000);
      const step = 8000 * 2 * Math.PI * 220 / 24_000;
      assert(largestStep(loop) <= step * 1.2, `${length}: a step of ${largestStep(loop)}; expected ${step}`);
    }
    assert(largestStep(tone(24_017, 24_000, 220)) > 600, "as it is, it has one");
  });

  it("brings a sound to the rate and to one channel", async () => {
    const left = tone(44_100, 44_100, 440);
    const samples = Int16Array.from(
      { length: left.length * 2 },
      (_, i) => i % 2 === 0 ? left[i >> 1] ?? 0 : 0,
    );
    const loop = await loadLoop({ samples, sampleRate: 44_100, channels: 2 }, 24_000);
    assertEquals(loop.length, 24_000 - 1200);
    const expected = tone(24_000, 24_000, 440);
    for (let i = 2000; i < 22_000; i++) assert(Math.abs((loop[i] ?? 0) - (expected[i] ?? 0) / 2) < 50);
  });

  it("reads a file once", async () => {
    const file = await Deno.makeTempFile({ suffix: ".wav" });
    await Deno.writeFile(
      file,
      writeWav({ samples: tone(4800, 24_000, 440), sampleRate: 24_000, channels: 1 }),
    );
    const first = loadLoop({ file }, 24_000);
    assertEquals((await first).length, 3600);
    await Deno.remove(file);
    assertEquals(await loadLoop({ file }, 24_000), await first);
  });

  it("says what is wrong with a file", async () => {
    await assertRejects(
      () => loadLoop({ file: "no/such.wav" }, 24_000),
      /the sound no\/such\.wav cannot be played: No such file/,
    );
    const file = new URL("../../deno.json", import.meta.url);
    await assertRejects(
      () => loadLoop({ file }, 24_000),
      /deno\.json cannot be played: readWav\(\): no RIFF\/WAVE header/,
    );
    await assertRejects(
      () => loadLoop({ samples: new Int16Array(1), sampleRate: 24_000 }, 24_000),
      /holds no sound/,
    );
  });
});
