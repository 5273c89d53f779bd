/** How much of a reply was heard before it was cut off: the history keeps that and no more. */
import type { WordTime } from "../tts/tts.ts";
import type { Clause } from "./clauses.ts";

/** A point where text and audio are known to meet: `characters` of the spoken text take `audioMs` of audio. */
export interface SpeechMark {
  readonly characters: number;
  readonly audioMs: number;
}

/** A reply, spoken so far. */
export interface SpokenReply {
  /** The reply's clauses in order; the voice was given their `spoken`, one after the other. */
  readonly clauses: readonly Clause[];
  /** Milliseconds of audio that the voice has delivered. */
  readonly audioMs: number;
  /** Whether that is all the audio of all the clauses. */
  readonly complete: boolean;
  /** Milliseconds of it that were heard. */
  readonly playedMs: number;
  /** In order. */
  readonly marks?: readonly SpeechMark[];
  /** In order; where the voice gives them. */
  readonly words?: readonly WordTime[];
}

const START: SpeechMark = { characters: 0, audioMs: 0 };

/** Characters a millisecond, until a voice has shown its own speed. */
const USUAL_SPEED = 15 / 1000;

/** Scripts that put no space between words: each character counts as one. */
const UNSPACED = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}`;
const WORD = new RegExp(String.raw`[${UNSPACED}]|[^\s${UNSPACED}]+`, "gu");
const ENDS_UNSPACED = new RegExp(`[${UNSPACED}]$`, "u");

/**
 * The part of the reply's text that was heard, cut after a whole word: by the words' times where they are known, else in
 * proportion to the characters between two marks. A word counts as heard from its middle on.
 */
export function heardText(reply: SpokenReply): string {
  const { clauses, playedMs, complete, audioMs } = reply;
  if (complete && playedMs >= audioMs) return clauses.map(({ text }) => text).join("");
  const spoken = clauses.map((clause) => clause.spoken).join("");
  let left = reply.words?.length
    ? endOfWords(spoken, reply.words.filter(({ startMs, endMs }) => (startMs + endMs) / 2 <= playedMs))
    : wholeWords(spoken, charactersAt(playedMs, spoken.length, reply));
  let heard = "";
  for (const clause of clauses) {
    if (left <= 0) break;
    heard += left >= clause.spoken.length ? clause.text : originalOf(clause, left);
    left -= clause.spoken.length;
  }
  return heard.trimEnd();
}

/** How many characters of the spoken text fit into `playedMs`. */
function charactersAt(playedMs: number, length: number, reply: SpokenReply): number {
  const { marks = [], complete, audioMs } = reply;
  const points: SpeechMark[] = [START, ...marks];
  if (complete) points.push({ characters: length, audioMs });
  const next = points.findIndex((point) => point.audioMs > playedMs);
  const from = points.at(next < 0 ? -1 : next - 1) ?? START;
  const to = points[next];
  const speed = to
    ? (to.characters - from.characters) / (to.audioMs - from.audioMs)
    : from.audioMs > 0
    ? from.characters / from.audioMs
    : USUAL_SPEED;
  return Math.min(length, from.characters + (playedMs - from.audioMs) * speed);
}

/** The end of the last word that lies in the first `characters` of `text` with at least its first half. */
function wholeWords(text: string, characters: number): number {
  let end = 0;
  for (const { index, 0: word } of text.matchAll(WORD)) {
    if (characters <= 0 || index + word.length / 2 > characters) break;
    end = index + word.length;
  }
  return end;
}

/** Where the last of `words` ends in `text`. One that is not found near was said in other words ("$5") and is passed over. */
function endOfWords(text: string, words: readonly WordTime[]): number {
  let end = 0;
  let missed = 0;
  for (const { text: word } of words) {
    const wanted = word.trim();
    const at = text.indexOf(wanted, end);
    if (wanted && at >= 0 && at - end <= 40 + missed) {
      end = at + wanted.length;
      missed = 0;
    } else missed += wanted.length + 1;
  }
  return end;
}

/**
 * The start of a clause's text up to where the first `characters` of its spoken form end, and the rest of that word with
 * its markup. But for white space, the spoken form is the text with parts left out: that finds the place.
 */
function originalOf({ text, spoken }: Clause, characters: number): string {
  const said = spoken.slice(0, characters).trimEnd();
  let end = 0;
  for (const char of said.replace(/\s+/g, "")) {
    const at = text.indexOf(char, end);
    if (at >= 0) end = at + char.length;
  }
  if (ENDS_UNSPACED.test(said)) return text.slice(0, end);
  return text.slice(0, end) + (/^\S*/.exec(text.slice(end))?.[0] ?? "");
}
