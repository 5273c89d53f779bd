/** Turns as recognizers tell them that judge for themselves when one is over: each message has the whole turn so far. */
import type { TranscriptEvent, TranscriptWord } from "./stt.ts";
import { isAfter } from "./utterance.ts";

/** A word of a turn; its times are milliseconds from the first audio of the connection, where they are told. */
export interface HeardWord {
  readonly text: string;
  /** 0–1. */
  readonly confidence: number;
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
}

/** What a recognizer says of the turn that it is at. */
export interface TurnUpdate {
  /** Counts up with each turn. */
  readonly turn: number;
  /** All of it so far. */
  readonly text: string;
  readonly words: readonly HeardWord[];
  /** How much audio this is about, in milliseconds, where that is told. */
  readonly heardMs?: number | undefined;
  /** "eager": it is likely to be over; "resumed": it is not, after all; "over": it is. */
  readonly change?: "eager" | "resumed" | "over" | undefined;
  /** Not just a silence has ended it, but what was said and how. */
  readonly judged?: true | undefined;
  /** BCP 47. */
  readonly language?: string | undefined;
}

export interface Turns {
  /** Takes in a message, which is the answer to a request for the final words if `asked`; undefined: it is a repetition. */
  take(update: TurnUpdate, asked: boolean): TranscriptEvent | undefined;
  /** Makes the words that there are final. */
  finish(): TranscriptEvent | undefined;
}

/**
 * Makes transcripts of turns. A final that is asked for in the middle of a turn has the words there are; the turn goes on,
 * and what follows is told without them.
 */
export function createTurns(): Turns {
  let latest: { readonly update: TurnUpdate; readonly words: readonly HeardWord[] } | undefined;
  let eager = false;
  /** What was told as final of the latest turn that anything was told of: so many words, until there. */
  let told = { turn: -1, words: 0, untilMs: 0, isWhole: false };

  const isTold = ({ turn }: TurnUpdate) => turn < told.turn || (turn === told.turn && told.isWhole);
  /** Words are revised, and then others in number; where each lies in the audio stays. */
  const untold = ({ turn, words }: TurnUpdate) =>
    turn !== told.turn
      ? words
      : words.filter((word, i) => isTimed(word) ? isAfter(word, told.untilMs) : i >= told.words);
  const textOf = (update: TurnUpdate, words: readonly HeardWord[]) =>
    words.length === update.words.length ? update.text : words.map(({ text }) => text).join(" ");

  const finish = (isWhole = false): Extract<TranscriptEvent, { type: "final" }> | undefined => {
    if (!latest) return undefined;
    const { update, words } = latest;
    const { turn, language } = update;
    told = { turn, words: update.words.length, untilMs: update.words.at(-1)?.endMs ?? 0, isWhole };
    latest = undefined;
    const text = textOf(update, words);
    if (text === "") return undefined;
    const timed = words.filter(isTimed);
    const isWholeTimed = timed.length > 0 && timed.length === words.length;
    return {
      type: "final",
      text,
      ...sureness(words),
      ...(language && { language }),
      ...(isWholeTimed && { words: timed }),
    };
  };
  return {
    finish,
    take(update, asked) {
      if (isTold(update)) return undefined;
      const { change, judged } = update;
      if (change) eager = change === "eager";
      latest = { update, words: untold(update) };
      const text = textOf(update, latest.words);
      const confidence = sureness(latest.words);
      const answer = asked && { asked: true as const };
      const isOver = change === "over";
      if (isOver || asked) {
        const end = isOver && !asked && { endOfTurn: true as const, ...(judged && { judged }) };
        const final = finish(isOver);
        if (final) return { ...final, ...end, ...answer };
      }
      return { type: "interim", text, ...confidence, ...(eager && text !== "" && { eager }), ...answer };
    },
  };
}

const isTimed = (word: HeardWord): word is HeardWord & TranscriptWord =>
  word.startMs !== undefined && word.endMs !== undefined;

/** As sure as its words are on the average. */
function sureness(words: readonly HeardWord[]): { confidence?: number } {
  if (words.length === 0) return {};
  const sum = words.reduce((sum, { confidence }) => sum + confidence, 0);
  return { confidence: Math.round(sum / words.length * 1000) / 1000 };
}
