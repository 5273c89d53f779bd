/** The features against those of the Python original; fixtures/smart_turn/make.py makes the golden numbers. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { BANDS, COLUMNS, logMelFeatures, WINDOW_SAMPLES } from "../../src/end_of_turn/features.ts";
import { type Complex, fourierTransform, POINTS } from "../../src/end_of_turn/fourier.ts";
import { golden, goldenSounds } from "../fixtures/smart_turn.ts";

/** The original computes in 32 bits where it normalizes; a feature is about -1 to 2. */
const TOLERANCE = 1e-4;
const STRIDE = 211;

describe("logMelFeatures", () => {
  for (const [name, { features: expected, means }] of Object.entries(golden)) {
    it(`of "${name}" are those of the original to ${TOLERANCE}`, async () => {
      const samples = (await goldenSounds())[name as keyof typeof golden];
      const features = logMelFeatures(samples);
      assertEquals(features.length, BANDS * COLUMNS);
      expected.forEach((value, i) => {
        const found = features[i * STRIDE] ?? NaN;
        assert(Math.abs(found - value) <= TOLERANCE, `feature ${i * STRIDE} is ${found}; expected ${value}`);
      });
      means.forEach((mean, band) => {
        const row = features.subarray(band * COLUMNS, (band + 1) * COLUMNS);
        const found = row.reduce((sum, value) => sum + value, 0) / COLUMNS;
        assert(Math.abs(found - mean) <= TOLERANCE, `the mean of band ${band} is ${found}; expected ${mean}`);
      });
    });
  }

  it("hears the last 8 s of a longer sound", () => {
    const long = Int16Array.from({ length: WINDOW_SAMPLES + 5000 }, (_, i) => i * 7919 % 4001 - 2000);
    assertEquals(logMelFeatures(long), logMelFeatures(long.subarray(5000)));
  });
});

describe("fourierTransform", () => {
  it("finds what the definition finds, and leaves nothing behind for the next", () => {
    const transform = fourierTransform();
    for (const seed of [3, 7]) {
      const re = Float64Array.from({ length: POINTS }, (_, i) => Math.sin(i * i * seed));
      const im = Float64Array.from({ length: POINTS }, (_, i) => Math.cos(i * seed));
      const signal: Complex = { re: re.slice(), im: im.slice() };
      transform(signal);
      for (const k of [0, 1, 17, 200, 399]) {
        let [sumRe, sumIm] = [0, 0];
        for (let n = 0; n < POINTS; n++) {
          const angle = -2 * Math.PI * k * n / POINTS;
          sumRe += (re[n] ?? 0) * Math.cos(angle) - (im[n] ?? 0) * Math.sin(angle);
          sumIm += (re[n] ?? 0) * Math.sin(angle) + (im[n] ?? 0) * Math.cos(angle);
        }
        assert(Math.hypot((signal.re[k] ?? NaN) - sumRe, (signal.im[k] ?? NaN) - sumIm) < 1e-9);
      }
    }
  });
});
