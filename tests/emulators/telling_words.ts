/** Recorded speech whose words can be told by its sound: each has a tone of its own in it, above the voice. */
import { loadClip } from "../fixtures/speech.ts";

const told = ["apple", "bread", "cheese", "dates", "eggs", "flour", "grapes", "honey", "icing", "jam"];
const toneOf = (n: number): number => 3_000 + 200 * n;
const toneLevel = 1_500;
const sampleRate = 16_000;
/** So much of the recording is voice without a gap: what is said in one breath. */
const breath = { clip: "four", fromMs: 300, words: 4, wordMs: 260 } as const;
export const wordsPerBreath = breath.words;
/** A tone that is held for less is the rest of a word that was heard before. */
const leastMs = 100;
const windowMs = 20;
/** A window has the tone that is so much stronger than the next, where there is one at all. */
const contrast = 3;
const faintest = 250;

/** The words from the `from`th up to the `to`th, which is not among them; they begin again behind the last there is. */
export const tellingWords = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => told[(from + i) % told.length]).join(" ");

/** How many of the words in `text` do not follow the one before them: there are words missing, or twice. */
export function slipsIn(text: string): number {
  const numbers = text.split(" ").map((word) => told.indexOf(word));
  return numbers.filter((n, i) => i > 0 && n !== ((numbers[i - 1] ?? 0) + 1) % told.length).length;
}

/** The words of a breath as they sound, from the `from`th on, and silence behind them. */
export async function breathOfWords(
  from: number,
  { pauseMs }: { readonly pauseMs: number },
): Promise<Int16Array> {
  const { samples } = await loadClip(breath.clip);
  const at = breath.fromMs * sampleRate / 1000;
  const perWord = breath.wordMs * sampleRate / 1000;
  const sound = new Int16Array(perWord * breath.words + pauseMs * sampleRate / 1000);
  return sound.map((_, i) => {
    const n = Math.floor(i / perWord);
    if (n >= breath.words) return 0;
    const tone = toneLevel * Math.sin(2 * Math.PI * toneOf((from + n) % told.length) * i / sampleRate);
    return Math.max(-32_768, Math.min(32_767, (samples[at + i] ?? 0) + tone));
  });
}

/** Hears them in `samples`. */
export function readWords(samples: Int16Array, rate: number): string {
  const size = rate * windowMs / 1000;
  const words: string[] = [];
  let run = { n: -1, ms: 0 };
  for (let at = 0; at + size <= samples.length; at += size) {
    const n = wordIn(samples.subarray(at, at + size), rate);
    run = { n, ms: n === run.n ? run.ms + windowMs : windowMs };
    if (n >= 0 && run.ms === leastMs) words.push(told[n] ?? "");
  }
  return words.join(" ");
}

/** Whose tone it has; -1 where it has none. */
function wordIn(samples: Int16Array, rate: number): number {
  const levels = told.map((_, n) => levelAt(toneOf(n), samples, rate));
  const [most = 0, next = 0] = levels.toSorted((a, b) => b - a);
  return most >= faintest && most >= next * contrast ? levels.indexOf(most) : -1;
}

/** The amplitude of that frequency. */
function levelAt(hertz: number, samples: Int16Array, rate: number): number {
  let [re, im] = [0, 0];
  const perSample = 2 * Math.PI * hertz / rate;
  for (let i = 0; i < samples.length; i++) {
    re += samples[i]! * Math.cos(perSample * i);
    im += samples[i]! * Math.sin(perSample * i);
  }
  return 2 * Math.hypot(re, im) / samples.length;
}
