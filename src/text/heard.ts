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
  /** How fast this voice spoke before, where that is known. */
  readonly charactersPerMs?: number;
  /** In order. */
  readonly marks?: readonly SpeechMark[];
  /** In order; where the voice gives them. */
  readonly words?: readonly WordTime[];
}

const START: SpeechMark = { characters: 0, audioMs: 0 };

/** Characters a millisecond, until a voice has shown its own speed. */
export const usualSpeed = 15 / 1000;

/** How exactly it is told when something was heard. */
const PRECISION_MS = 10;

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

/** When the first `characters` of the text were heard, of the reply's milliseconds; undefined when its audio is not there. */
export function heardWhenMs(reply: Omit<SpokenReply, "playedMs">, characters: number): number | undefined {
  const isHeard = (playedMs: number) => heardText({ ...reply, playedMs }).length >= characters;
  if (!isHeard(reply.audioMs)) return undefined;
  let [beforeMs, byMs] = [0, reply.audioMs];
  while (byMs - beforeMs > PRECISION_MS) {
    const ms = (beforeMs + byMs) / 2;
    if (isHeard(ms)) byMs = ms;
    else beforeMs = ms;
  }
  return byMs;
}

/** How many characters of the spoken text fit into `playedMs`. */
function charactersAt(playedMs: number, length: number, reply: SpokenReply): number {
  const { marks = [], complete, audioMs, charactersPerMs = usualSpeed } = reply;
  const points: SpeechMark[] = [START, ...marks];
  if (complete) points.push({ characters: length, audioMs });
  const next = points.findIndex((point) => point.audioMs > playedMs);
  const from = points.at(next < 0 ? -1 : next - 1) ?? START;
  const to = points[next];
  const speed = to ? (to.characters - from.characters) / (to.audioMs - from.audioMs) : Math.min(
    from.audioMs > 0 ? from.characters / from.audioMs : charactersPerMs,
    // All that was delivered since the mark is of the text since the mark.
    (length - from.characters) / Math.max(1, audioMs - from.audioMs),
  );
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
 * its markup. Words that are the same in both tell the place; what stands between two such words was said in other words,
 * and counts in proportion to what was heard of those.
 */
function originalOf({ text, spoken }: Clause, characters: number): string {
  const written = tokensOf(text);
  const said = tokensOf(spoken);
  const heard = said.findLastIndex(({ end }) => end <= characters);
  if (heard < 0) return "";
  const pairs = [...matches(written, said), { written: written.length, said: said.length }];
  const next = pairs.findIndex((pair) => pair.said > heard);
  const from = pairs[next - 1] ?? { written: -1, said: -1 };
  const to = pairs[next] ?? from;
  const share = (heard - from.said) / (to.said - from.said - 1 || 1);
  const between = written.slice(from.written + 1, to.written);
  const last = upTo(share, between) ?? written[from.written];
  if (!last) return "";
  if (unspaced(last.word)) return text.slice(0, last.end);
  return text.slice(0, last.end) + (/^\S*/.exec(text.slice(last.end))?.[0] ?? "");
}

/** The last token of `share` of them (0–1); what stands together without white space counts from its middle on. */
function upTo(share: number, tokens: readonly Token[]): Token | undefined {
  let last: Token | undefined;
  let begin = 0;
  tokens.forEach((token, i) => {
    if (tokens[i + 1]?.run === token.run) return;
    if ((begin + i + 1) / 2 <= share * tokens.length) last = token;
    begin = i + 1;
  });
  return last;
}

interface Token {
  /** In lower case, without punctuation. */
  readonly word: string;
  readonly end: number;
  /** Where what stands together with it without white space begins. */
  readonly run: number;
}

const unspaced = (word: string): boolean => ENDS_UNSPACED.test(word);
const TOKEN = new RegExp(String.raw`[${UNSPACED}]|(?:(?![${UNSPACED}])[\p{L}\p{N}\p{M}])+`, "gu");

function tokensOf(text: string): Token[] {
  return Array.from(text.matchAll(/\S+/g)).flatMap(({ 0: together, index: run }) =>
    Array.from(together.matchAll(TOKEN), ({ 0: word, index }) => ({
      word: word.toLowerCase(),
      end: run + index + word.length,
      run: unspaced(word) ? run + index : run,
    }))
  );
}

/** Words at the start of a clause that are compared one by one; what follows counts in proportion. */
const ALIGNED = 500;

/** The longest run of words that both have in the same order: pairs of their indices, in order. */
function matches(written: readonly Token[], said: readonly Token[]): { written: number; said: number }[] {
  const [rows, columns] = [Math.min(written.length, ALIGNED), Math.min(said.length, ALIGNED)];
  const same = (i: number, j: number) => written[i]?.word === said[j]?.word;
  const width = columns + 1;
  /** At i, j: how many words the rests of both from there on have in common. */
  const common = new Uint16Array((rows + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      common[i * width + j] = same(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: { written: number; said: number }[] = [];
  for (let i = 0, j = 0; i < rows && j < columns;) {
    if (same(i, j)) pairs.push({ written: i++, said: j++ });
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
