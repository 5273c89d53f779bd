import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createSentenceEnds } from "../src/sentence_ends.ts";
import type { SpokenReply } from "../src/text/heard.ts";

const sampleRate = 16_000;
const sentences = [
  "Here is one. ",
  "Here, as you see, is a longer one. ",
  "The third. ",
  "And that is all of it.",
];
const text = sentences.join("");
const clauses = sentences.map((text) => ({ text, spoken: text }));
/** Each character takes so long, in milliseconds, and each sentence a pause. */
const [characterMs, pauseMs] = [60, 300];

/** When each sentence's voice ends. */
const endsMs = sentences.map((_, n) =>
  sentences.slice(0, n + 1).reduce((ms, { length }) => ms + length * characterMs, 0) + n * pauseMs
);
const ends = sentences.map((_, n) => sentences.slice(0, n + 1).join("").trimEnd().length);

/** All of the reply's sound by `audioMs`. */
function spoken(audioMs: number, told: Partial<SpokenReply>) {
  const found = createSentenceEnds(() => ({ text, clauses, complete: false, audioMs, ...told }));
  for (let atMs = 0; atMs < audioMs; atMs += 20) {
    const isVoice = endsMs.some((endMs, n) =>
      atMs < endMs && atMs >= (n === 0 ? 0 : endsMs[n - 1]! + pauseMs)
    );
    const samples = new Int16Array(320).fill(isVoice ? 5_000 : 0);
    found.take({ samples, sampleRate, channels: 1, timestampMs: 0 });
  }
  return found;
}

const marks = sentences.map((_, n) => ({
  characters: sentences.slice(0, n + 1).join("").length,
  audioMs: endsMs[n]! + pauseMs,
}));
const voices: [what: string, told: Partial<SpokenReply>][] = [
  ["tells nothing, and is as fast as usual", {}],
  ["tells nothing, and was thought to be faster", { charactersPerMs: 1.15 / characterMs }],
  ["tells nothing, and was thought to be slower", { charactersPerMs: 0.85 / characterMs }],
  ["tells the end of each sentence", { marks }],
];

describe("the ends of sentences in the sound", () => {
  for (const [what, told] of voices) {
    it(`are found of a voice that ${what}`, () => {
      const found = spoken(endsMs.at(-1)! + pauseMs, told);
      for (const n of [0, 1, 2]) {
        const ms = found.whenMs(ends[n]!) ?? NaN;
        assert(ms >= endsMs[n]! && ms < endsMs[n]! + 60, `${ms} ms, not ${endsMs[n]}`);
      }
    });

    it(`are not known before their sound is there, of a voice that ${what}`, () => {
      const found = spoken(endsMs[1]! - 400, { ...told, ...(told.marks && { marks: marks.slice(0, 1) }) });
      assertEquals(found.whenMs(ends[1]!), undefined);
      assert(found.whenMs(ends[0]!) !== undefined);
    });
  }
});
