/**
 * What smart-turn hears: the log-mel spectrogram that Whisper's feature extractor makes of 8 s of sound
 * (WhisperFeatureExtractor(chunk_length=8) of https://github.com/huggingface/transformers, with do_normalize).
 */
import { type Complex, fourierTransform, POINTS } from "./fourier.ts";

const SAMPLE_RATE = 16_000;
/** The most sound there is: 8 s. */
export const WINDOW_SAMPLES = 8 * SAMPLE_RATE;
/** Bands of the spectrogram, and its columns: one every 10 ms. */
export const BANDS = 80;
export const COLUMNS = 800;

const HOP = WINDOW_SAMPLES / COLUMNS;
const BINS = POINTS / 2 + 1;
const HALF = POINTS / 2;
/** Added to the variance before it is divided by. */
const LEAST_VARIANCE = 1e-7;
const LEAST_POWER = 1e-10;
/** Decades below the loudest that are told apart. */
const RANGE = 8;

/** Slaney's scale is linear up to 1 kHz, 15 mel, and logarithmic above: 27 mel for a factor of 6.4. */
const MELS_PER_LOG = 27 / Math.log(6.4);

const hann = Float64Array.from({ length: POINTS }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / POINTS));
const filters = melFilters();

/**
 * BANDS × COLUMNS numbers, a band after the other, of 16 kHz mono `samples`: the last 8 s of them, with silence before
 * when there is less. About 20 ms of CPU for 8 s.
 */
export function logMelFeatures(samples: Int16Array): Float32Array<ArrayBuffer> {
  const recent = samples.subarray(-WINDOW_SAMPLES);
  const silent = WINDOW_SAMPLES - recent.length;
  const sound = padded(normalized(recent));
  const powers = new Float64Array(BANDS * COLUMNS);
  const transform = fourierTransform();
  const signal: Complex = { re: new Float64Array(POINTS), im: new Float64Array(POINTS) };

  // Columns that lie wholly in the silence put before the sound are all the same.
  const first = Math.max(0, Math.floor((silent - HALF) / HOP) - 1);
  // Two real columns make one complex signal: their transforms are its even and its odd part.
  for (let column = first; column < COLUMNS; column += 2) {
    for (let i = 0; i < POINTS; i++) {
      signal.re[i] = sound[column * HOP + i]! * hann[i]!;
      signal.im[i] = (sound[(column + 1) * HOP + i] ?? 0) * hann[i]!;
    }
    transform(signal);
    addColumns(powers, column, signal);
  }
  for (let band = 0; band < BANDS; band++) {
    powers.fill(powers[band * COLUMNS + first]!, band * COLUMNS, band * COLUMNS + first);
  }
  return compressed(powers);
}

/** The samples with a mean of 0 and a variance of 1 over the whole window, the silence before them included. */
function normalized(samples: Int16Array): Float64Array {
  let sum = 0;
  let squares = 0;
  for (const sample of samples) {
    sum += sample / 32768;
    squares += (sample / 32768) ** 2;
  }
  const mean = sum / WINDOW_SAMPLES;
  const scale = 1 / Math.sqrt(squares / WINDOW_SAMPLES - mean ** 2 + LEAST_VARIANCE);
  const all = new Float64Array(WINDOW_SAMPLES).fill(-mean * scale);
  const from = WINDOW_SAMPLES - samples.length;
  samples.forEach((sample, i) => all[from + i] = Math.fround((sample / 32768 - mean) * scale));
  return all;
}

/** The window with half a column on either side, mirrored, so that columns lie around their points in time. */
function padded(sound: Float64Array): Float64Array {
  const all = new Float64Array(WINDOW_SAMPLES + POINTS);
  all.set(sound, HALF);
  for (let i = 1; i <= HALF; i++) {
    all[HALF - i] = sound[i]!;
    all[HALF + WINDOW_SAMPLES - 1 + i] = sound[WINDOW_SAMPLES - 1 - i]!;
  }
  return all;
}

/** Adds up the power that each band has in two columns. */
function addColumns(powers: Float64Array, column: number, { re, im }: Complex): void {
  for (let band = 0; band < BANDS; band++) {
    const { from, weights } = filters[band]!;
    let even = 0;
    let odd = 0;
    for (let i = 0; i < weights.length; i++) {
      const k = from + i;
      const mirror = k === 0 ? 0 : POINTS - k;
      const ar = re[k]! + re[mirror]!;
      const ai = im[k]! - im[mirror]!;
      const br = im[k]! + im[mirror]!;
      const bi = re[mirror]! - re[k]!;
      even += weights[i]! * (ar * ar + ai * ai) / 4;
      odd += weights[i]! * (br * br + bi * bi) / 4;
    }
    powers[band * COLUMNS + column] = even;
    if (column + 1 < COLUMNS) powers[band * COLUMNS + column + 1] = odd;
  }
}

/** Decades of power, RANGE of them below the loudest, brought to about -1–1. */
function compressed(powers: Float64Array): Float32Array<ArrayBuffer> {
  let loudest = -Infinity;
  for (let i = 0; i < powers.length; i++) {
    powers[i] = Math.log10(Math.max(LEAST_POWER, powers[i]!));
    if (powers[i]! > loudest) loudest = powers[i]!;
  }
  return Float32Array.from(powers, (power) => (Math.max(power, loudest - RANGE) + 4) / 4);
}

/** Of each band: the first bin that counts, and what the bins from there on weigh. Slaney's scale and norm. */
function melFilters(): { readonly from: number; readonly weights: Float64Array }[] {
  const top = melOf(SAMPLE_RATE / 2);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => hertzOf(top * i / (BANDS + 1)));
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, centre, high] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    const all = Array.from({ length: BINS }, (_, bin) => {
      const hertz = bin * SAMPLE_RATE / POINTS;
      return Math.max(0, Math.min((hertz - low) / (centre - low), (high - hertz) / (high - centre))) * 2 /
        (high - low);
    });
    const from = all.findIndex((weight) => weight > 0);
    const to = all.findLastIndex((weight) => weight > 0) + 1;
    return { from: Math.max(0, from), weights: Float64Array.from(all.slice(Math.max(0, from), to)) };
  });
}

function melOf(hertz: number): number {
  return hertz < 1000 ? 3 * hertz / 200 : 15 + MELS_PER_LOG * Math.log(hertz / 1000);
}

function hertzOf(mel: number): number {
  return mel < 15 ? 200 * mel / 3 : 1000 * Math.exp((mel - 15) / MELS_PER_LOG);
}
