/**
 * Whether the user's turn is over, as far as words or sound tell. An answer is a probability: 1 says that it is over, 0
 * that more will come; it moves the silence that is waited for between the shortest and the longest delay.
 */
import type { Expectation } from "./expectation.ts";

/**
 * Judges the words of the turn so far; pure and quick. Undefined: the words do not tell. `expected`: what the agent has asked
 * for.
 */
export type WordsEndTurn = (words: string, expected?: Expectation) => number | undefined;

/**
 * Judges the sound of the turn so far. It is asked at each pause of the voice, and not waited for: an answer that comes
 * after the turn was ended counts for nothing, so it should take less than 100 ms.
 */
export interface AudioTurnDetector {
  readonly model: string;
  /** The most audio it takes, in milliseconds; of a longer turn it is given the last. */
  readonly windowMs: number;
  /** How much of the silence after the last voiced sample it is to hear, in milliseconds. */
  readonly silenceMs: number;
  /**
   * The probability (0–1) that the turn is over. `samples`: 16 kHz mono, the turn so far, `windowMs` at the most, with
   * about `silenceMs` of silence at its end; it may keep the array. Rejects with a StageError of stage "turn" when it
   * fails, and soon after `signal` aborts: the voice has come back, or the session has ended.
   */
  endOfTurn(samples: Int16Array, options: { readonly signal: AbortSignal }): Promise<number>;
}

/** From this probability on a turn counts as over: nothing is added to the shortest delay. */
const OVER = 0.5;

/**
 * How much silence ends the turn, in milliseconds: the shortest delay where `probability` says that it is over (or
 * nothing), the longest where more is sure to come, in proportion between.
 */
export function delayFor(
  probability: number | undefined,
  { minDelayMs, maxDelayMs }: { readonly minDelayMs: number; readonly maxDelayMs: number },
): number {
  if (probability === undefined) return minDelayMs;
  const unfinished = 1 - Math.min(1, Math.max(0, probability) / OVER);
  return minDelayMs + Math.max(0, maxDelayMs - minDelayMs) * unfinished;
}
