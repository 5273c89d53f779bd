/** Changes the sample rate of sound, as a whole or as it comes. */

/** Zero crossings of the filter on each side: its transition is 0.1 of the band wide, and no stage adds a delay. */
const CROSSINGS = 16;
/** The filter passes up to this part of the narrower band. */
const PASS = 0.95;

/**
 * `samples` (mono) of `from` samples a second at `to` samples a second: windowed sinc, with zeros before and after.
 * The result has `samples.length * to / from` samples, rounded up. Cost: 32 multiplications a sample when `to` is higher.
 */
export function resample(samples: Int16Array, from: number, to: number): Int16Array<ArrayBuffer> {
  if (from === to) return Int16Array.from(samples);
  const ended = new Int16Array(samples.length + reach(from, to));
  ended.set(samples);
  return resampler(from, to)(ended);
}

/**
 * The same for sound that comes in pieces of any length: what it returns, put together, is the whole sound at `to` samples a
 * second, but for the last samples, which wait for those after them (1 ms from 16 to 24 kHz).
 */
export function resampler(from: number, to: number): (samples: Int16Array) => Int16Array<ArrayBuffer> {
  const divisor = gcd(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const phases = Array.from({ length: up }, (_, phase) => filter(phase / up, cutoffOf(from, to)));
  const span = 2 * reach(from, to);
  /** What later samples depend on, too; zeros before the first. */
  let kept = new Int16Array(span / 2 - 1);
  /** Where in `kept` the weights of the next sample begin, in `up`ths of a sample. */
  let at = 0;
  return (samples) => {
    const all = new Int16Array(kept.length + samples.length);
    all.set(kept);
    all.set(samples, kept.length);
    const steps = Math.ceil(((all.length - span + 1) * up - at) / down);
    const out = new Int16Array(Math.max(0, steps));
    for (let i = 0; i < out.length; i++, at += down) {
      const taps = phases[at % up] ?? [];
      const first = Math.floor(at / up);
      let sum = 0;
      for (let tap = 0; tap < span; tap++) sum += (taps[tap] ?? 0) * (all[first + tap] ?? 0);
      out[i] = Math.max(-32768, Math.min(32767, Math.round(sum)));
    }
    const done = Math.min(Math.floor(at / up), all.length);
    kept = all.slice(done);
    at -= done * up;
    return out;
  };
}

/** How much of the band is passed, as a part of `from`'s. */
const cutoffOf = (from: number, to: number): number => Math.min(1, to / from) * PASS;

/** How many samples on each side a sample depends on. */
const reach = (from: number, to: number): number => Math.ceil(CROSSINGS / cutoffOf(from, to));

/** The weights of the samples around a point that lies `offset` (0–1) samples after the one in the middle. */
function filter(offset: number, cutoff: number): Float64Array {
  const half = Math.ceil(CROSSINGS / cutoff);
  const taps = Float64Array.from({ length: 2 * half }, (_, tap) => {
    const x = tap - half + 1 - offset;
    return cutoff * sinc(cutoff * x) * (0.5 + 0.5 * Math.cos(Math.PI * x / half)); // Hann
  });
  const sum = taps.reduce((total, weight) => total + weight, 0);
  return taps.map((weight) => weight / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
