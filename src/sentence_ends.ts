/** Where the sentences of a reply end in its sound. */
import type { AudioFrame } from "./audio/frame.ts";
import { pauseFinder } from "./audio/pauses.ts";
import { heardWhenMs, type SpeechMark, type SpokenReply } from "./text/heard.ts";
import { sentenceAt } from "./text/sentences.ts";

/** A voice that tells when it says each word, or where a sentence ends, is wrong by so much, before and behind; milliseconds. */
const exactMs = [100, 150] as const;
/** One that does not is, by this share of the sentence; there a shorter pause is not taken for its end, in milliseconds. */
const estimate = { share: 0.3, pauseMs: 120 };
/** Between two words there may be no pause at all. */
const wordPauseMs = 40;

export interface SentenceEnds {
  /** Takes what the voice says next. */
  take(frame: AudioFrame): void;
  /** When the sentence is over that ends behind `end` characters, of the reply's milliseconds; undefined while that is not known. */
  whenMs(end: number): number | undefined;
}

interface Found extends SpeechMark {
  /** In characters of the text. */
  readonly end: number;
}

/** `reply`: what is spoken of it by now, of which the text is whole. */
export function createSentenceEnds(
  reply: () => Omit<SpokenReply, "playedMs"> & { readonly text: string },
): SentenceEnds {
  const pauses = pauseFinder();
  /** From the first sentence on: each tells how fast the voice speaks. */
  const found: Found[] = [];

  /** The end of the sentence behind the last that was found; `sure`: no more can be known of it. */
  const look = (): (Found & { readonly sure: boolean }) | undefined => {
    const { text, ...spoken } = reply();
    const { clauses, audioMs, words = [], marks: told = [] } = spoken;
    const before = found.at(-1) ?? { end: 0, audioMs: 0 };
    const end = sentenceAt(text, before.end)?.end;
    if (end === undefined) return undefined;
    const characters = spokenCharacters(clauses, end);
    const marks = [...told, ...found].toSorted((a, b) => a.audioMs - b.audioMs);
    const fromMs = heardWhenMs({ ...spoken, marks }, end);
    if (fromMs === undefined) return undefined;
    const untilMs = heardWhenMs({ ...spoken, marks }, end + 1) ?? audioMs;
    const isExact = words.length > 0 || told.some((mark) => mark.characters === characters);
    const aboutMs = (fromMs - before.audioMs) * estimate.share;
    const [beforeMs, behindMs] = isExact ? exactMs : [aboutMs, aboutMs];
    const leastMs = isExact ? wordPauseMs : estimate.pauseMs;
    const pauseMs = pauses.between(fromMs - beforeMs, untilMs + behindMs, leastMs);
    const sure = audioMs >= untilMs + behindMs;
    if (pauseMs === undefined && !isExact && !sure) return undefined;
    return { end, characters, audioMs: pauseMs ?? (isExact ? (fromMs + untilMs) / 2 : fromMs), sure };
  };
  return {
    take: pauses.take,
    whenMs(end) {
      for (let next = look(); next; next = look()) {
        if (next.sure) found.push(next);
        if (next.end >= end || !next.sure) break;
      }
      const known = found.find((one) => one.end === end);
      if (known) return known.audioMs;
      const next = look();
      return next?.end === end ? next.audioMs : undefined;
    },
  };
}

/** How much was spoken of the first `end` characters of the text. */
function spokenCharacters(clauses: SpokenReply["clauses"], end: number): number {
  let [at, characters] = [0, 0];
  for (const { text, spoken } of clauses) {
    at += text.length;
    if (at - (text.length - text.trimEnd().length) > end) break;
    characters += spoken.length;
  }
  return characters;
}
