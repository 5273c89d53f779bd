/** The Fourier transform of 400 points, which is no power of two: common libraries do not take it. */

/** Points of a transform: 25 ms at 16 kHz. */
export const POINTS = 400;
const RADICES = [4, 4, 5, 5];

const cosines = Float64Array.from({ length: POINTS }, (_, i) => Math.cos(2 * Math.PI * i / POINTS));
const sines = Float64Array.from({ length: POINTS }, (_, i) => -Math.sin(2 * Math.PI * i / POINTS));

/** A complex signal of POINTS points. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** A function that transforms the signal it is given in place; it keeps its working memory for the next. */
export function fourierTransform(): (signal: Complex) => void {
  const spare: Complex = { re: new Float64Array(POINTS), im: new Float64Array(POINTS) };
  return (signal) => {
    // Stockham's form: each pass writes its results in order into the other array.
    let [from, to] = [signal, spare];
    let length = POINTS;
    for (const radix of RADICES) {
      pass(from, to, radix, length);
      length /= radix;
      [from, to] = [to, from];
    }
    // RADICES are even in number: the last pass wrote into `signal`.
  };
}

/** One pass over all groups of `length` points. Written out for speed: a second of sound takes 2 million of its steps. */
function pass(from: Complex, to: Complex, radix: number, length: number): void {
  const part = length / radix;
  const stride = POINTS / length;
  const turn = POINTS / radix;
  const { re: fromRe, im: fromIm } = from;
  const { re: toRe, im: toIm } = to;
  for (let k = 0; k < part; k++) {
    for (let t = 0; t < radix; t++) {
      const twiddle = k * t * stride % POINTS;
      const wr = cosines[twiddle]!;
      const wi = sines[twiddle]!;
      for (let q = 0; q < stride; q++) {
        let at = q + stride * k;
        let re = fromRe[at]!;
        let im = fromIm[at]!;
        let angle = 0;
        for (let j = 1; j < radix; j++) {
          at += stride * part;
          angle += t * turn;
          if (angle >= POINTS) angle -= POINTS;
          const xr = fromRe[at]!;
          const xi = fromIm[at]!;
          const cr = cosines[angle]!;
          const ci = sines[angle]!;
          re += xr * cr - xi * ci;
          im += xr * ci + xi * cr;
        }
        const out = q + stride * (radix * k + t);
        toRe[out] = re * wr - im * wi;
        toIm[out] = re * wi + im * wr;
      }
    }
  }
}
