import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { resample, resampler } from "../../src/audio/resample.ts";

const tone = (hz: number, rate: number, seconds = 0.1, amplitude = 10_000) =>
  Int16Array.from(
    { length: rate * seconds },
    (_, i) => Math.round(amplitude * Math.sin(2 * Math.PI * hz * i / rate)),
  );
const rms = (samples: ArrayLike<number>) =>
  Math.sqrt(Array.from(samples).reduce((sum, x) => sum + x * x, 0) / samples.length);
/** Without the ends, where the sound meets the zeros around it. */
const middle = (samples: Int16Array) => samples.subarray(samples.length / 4, samples.length * 3 / 4);

describe("resample()", () => {
  for (
    const [from, to] of [[16_000, 24_000], [8_000, 24_000], [24_000, 16_000], [48_000, 16_000], [
      44_100,
      16_000,
    ]]
  ) {
    if (!from || !to) continue;
    for (const hz of [100, 1_000, 3_000]) {
      it(`keeps a tone of ${hz} Hz from ${from} to ${to} Hz`, () => {
        const got = resample(tone(hz, from), from, to);
        const want = tone(hz, to);
        assertEquals(got.length, want.length);
        const wrong = middle(got).map((sample, i) => sample - (middle(want)[i] ?? 0));
        assert(rms(wrong) < 30, `the error is ${rms(wrong).toFixed(0)} of 7071; expected under 30`);
      });
    }
  }

  it("removes what the lower rate cannot carry", () => {
    const got = resample(tone(10_000, 24_000), 24_000, 16_000);
    assert(rms(middle(got)) < 10, `${rms(middle(got))} of 7071 is left; expected under 10`);
  });

  it("leaves no image of the lower rate's band", () => {
    const got = resample(tone(6_500, 16_000), 16_000, 24_000);
    const wrong = middle(got).map((sample, i) => sample - (middle(tone(6_500, 24_000))[i] ?? 0));
    assert(rms(wrong) < 100, `the error is ${rms(wrong).toFixed(0)} of 7071; expected under 100`);
  });

  it("clips instead of wrapping around", () => {
    const square = Int16Array.from({ length: 320 }, (_, i) => i % 32 < 16 ? 32_767 : -32_768);
    const got = resample(square, 16_000, 24_000);
    got.forEach((sample, i) => {
      const before = square[Math.floor(i / 1.5)] ?? 0;
      if (i % 24 > 4 && i % 24 < 20) assert(sample * before > 0, `sample ${i} is ${sample} beside ${before}`);
    });
  });

  it("copies at the same rate", () => {
    const samples = tone(440, 16_000);
    const got = resample(samples, 16_000, 16_000);
    assertEquals(got, samples);
    assert(got.buffer !== samples.buffer);
  });

  it("takes no samples", () => assertEquals(resample(new Int16Array(), 16_000, 24_000).length, 0));
});

describe("resampler()", () => {
  for (const [from, to] of [[16_000, 24_000], [24_000, 16_000], [44_100, 16_000], [16_000, 16_000]]) {
    if (!from || !to) continue;
    it(`makes of pieces of any length what resample() makes of the whole, from ${from} to ${to} Hz`, () => {
      const whole = tone(440, from, 0.5);
      const next = resampler(from, to);
      const got: number[] = [];
      for (let at = 0, n = 0; at < whole.length; n++) {
        const size = [320, 1, 0, 7, 640][n % 5] ?? 1;
        got.push(...next(whole.subarray(at, at + size)));
        at += size;
      }
      const want = [...resampler(from, to)(whole)];
      assertEquals(got, want);
      const missing = whole.length * to / from - got.length;
      assert(missing * 1000 / to < 2.1, `${missing} samples wait`);
      if (from !== to) assertEquals(got, [...resample(whole, from, to)].slice(0, got.length));
    });
  }
});
