/** Changes the sample rate of sound that is there as a whole. */

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
  const divisor = gcd(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const phases = Array.from({ length: up }, (_, phase) => filter(phase / up, Math.min(1, to / from) * PASS));
  const out = new Int16Array(Math.ceil(samples.length * up / down));
  for (let i = 0; i < out.length; i++) {
    const taps = phases[i * down % up] ?? [];
    const first = Math.floor(i * down / up) - taps.length / 2 + 1;
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) sum += (taps[tap] ?? 0) * (samples[first + tap] ?? 0);
    out[i] = Math.max(-32768, Math.min(32767, Math.round(sum)));
  }
  return out;
}

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
