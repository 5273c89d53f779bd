/** Utterances of recognizers that tell them piece by piece: each piece changes until it is final, and another follows. */
import type { TranscriptEvent, TranscriptWord } from "./stt.ts";

/** What a recognizer says of the piece that it is at. Times are milliseconds from the first audio of the connection. */
export interface UtterancePiece {
  /** All of it so far; empty where there were no words. */
  readonly text: string;
  readonly words: readonly TranscriptWord[];
  /** 0–1. */
  readonly confidence: number;
  /** BCP 47. */
  readonly language?: string | undefined;
  /** Where the audio ends that it is about. */
  readonly endMs: number;
  /** It does not change any more. */
  readonly isFinal: boolean;
  /** The utterance is over with it, once it is final: the silence was heard that is taken for the end of the turn. */
  readonly endOfTurn?: boolean;
  /** Likewise, since the final words were asked for, and these are they. */
  readonly asked?: boolean;
}

export interface Utterance {
  /** Whether there are words that no final has told yet. */
  readonly pending: boolean;
  /** Takes in a piece; returns what it makes of the utterance. */
  take(piece: UtterancePiece): TranscriptEvent;
  /** Ends the utterance with the words there are; undefined when there are none. */
  finish(): TranscriptEvent | undefined;
}

/**
 * Joins the pieces of one utterance after another: those that are final are collected until it is over, the one in the
 * making is replaced by each that comes. Words that were told as final are not told again, by where they lie in the audio.
 */
export function createUtterance(): Utterance {
  let collected: UtterancePiece[] = [];
  let unfinished: UtterancePiece | undefined;
  let heardMs = 0;
  let toldMs = 0;

  const all = () => [...collected, ...(unfinished ? [unfinished] : [])];
  const finish = (): Extract<TranscriptEvent, { type: "final" }> | undefined => {
    const pieces = all();
    collected = [];
    unfinished = undefined;
    toldMs = heardMs;
    if (pieces.length === 0) return undefined;
    const words = pieces.flatMap(({ words }) => words);
    const language = pieces.findLast(({ language }) => language)?.language;
    return {
      type: "final",
      ...joined(pieces),
      ...(language && { language }),
      ...(words.length > 0 && { words }),
    };
  };
  return {
    get pending() {
      return collected.length > 0 || unfinished !== undefined;
    },
    finish,
    take(piece) {
      heardMs = Math.max(heardMs, piece.endMs);
      const untold = after(piece, toldMs);
      if (piece.isFinal && untold) collected.push(untold);
      unfinished = piece.isFinal ? undefined : untold;
      const endOfTurn = piece.endOfTurn && { endOfTurn: true as const };
      const asked = piece.asked && { asked: true as const };
      const final = piece.isFinal && (endOfTurn || asked) ? finish() : undefined;
      return final ? { ...final, ...endOfTurn, ...asked } : { type: "interim", ...joined(all()), ...asked };
    },
  };
}

/** Whether a word lies behind `atMs`, by its middle: the next time it is heard, it may begin or end a little elsewhere. */
export const isAfter = ({ startMs, endMs }: TranscriptWord, atMs: number): boolean =>
  (startMs + endMs) / 2 > atMs;

/** `piece` without the words that are not after `atMs`; undefined when there are no others. */
function after(piece: UtterancePiece, atMs: number): UtterancePiece | undefined {
  if (piece.text === "") return undefined;
  const words = piece.words.filter((word) => isAfter(word, atMs));
  if (words.length === piece.words.length) return piece;
  if (words.length === 0) return undefined;
  return { ...piece, words, text: words.map(({ text }) => text).join(" ") };
}

/** The text of all of them, which is no surer than the least sure of them. */
function joined(pieces: readonly UtterancePiece[]): { text: string; confidence?: number } {
  const text = pieces.map(({ text }) => text).join(" ");
  if (pieces.length === 0) return { text };
  return { text, confidence: Math.min(...pieces.map(({ confidence }) => confidence)) };
}
