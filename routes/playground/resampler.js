/** Changes the sample rate of a stream of samples, in the audio thread. */

/** Zero crossings of the filter on each side, and how finely points between two samples are told apart. */
const CROSSINGS = 16;
const PHASES = 256;

/**
 * Returns a function that takes the next samples (Float32Array) at `from` a second and returns those they make at `to`:
 * a windowed sinc, so that nothing above half the lower rate folds back. It is behind by 16 crossings, about 1 ms.
 */
export function createResampler(from, to) {
  if (from === to) return (input) => input;
  const cutoff = Math.min(1, to / from) * 0.95;
  const half = Math.ceil(CROSSINGS / cutoff);
  const filters = Array.from({ length: PHASES + 1 }, (_, phase) => filter(phase / PHASES, cutoff, half));
  let kept = new Float32Array(2 * half);
  /** Where the next output lies, in samples of `kept`. */
  let at = half;
  return (input) => {
    const samples = new Float32Array(kept.length + input.length);
    samples.set(kept);
    samples.set(input, kept.length);
    const out = new Float32Array(Math.max(0, Math.ceil((samples.length - half - at) * to / from)));
    let count = 0;
    for (; Math.floor(at) + half < samples.length && count < out.length; at += from / to) {
      const middle = Math.floor(at);
      const taps = filters[Math.round((at - middle) * PHASES)];
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) sum += taps[tap] * samples[middle - half + 1 + tap];
      out[count++] = sum;
    }
    const done = Math.floor(at) - half;
    kept = samples.slice(done);
    at -= done;
    return out.subarray(0, count);
  };
}

/** The weights of the samples around a point `offset` (0–1) after the one in the middle. */
function filter(offset, cutoff, half) {
  const taps = Float32Array.from({ length: 2 * half }, (_, tap) => {
    const x = tap - half + 1 - offset;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    return cutoff * sinc * (0.5 + 0.5 * Math.cos(Math.PI * x / (half + 1)));
  });
  const sum = taps.reduce((total, weight) => total + weight, 0);
  return taps.map((weight) => weight / sum);
}
