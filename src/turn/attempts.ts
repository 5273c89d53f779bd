/** How often it is tried to be ready when the turn ends: less in a call where it was of little use. */
import type { TurnState } from "./state.ts";

/** What is tried before it is known that the turn is over. */
export interface Attempts {
  /** How often since the last turn was committed. */
  readonly made: number;
  /** Of how many it is known in this call whether they were of use, and how many were. */
  readonly judged: number;
  readonly useful: number;
}

export const NO_ATTEMPTS: Attempts = { made: 0, judged: 0, useful: 0 };

/** At the most, in one turn. */
const MOST = 3;
/** So many of them are kept for when the detector, too, is sure that the user has paused. */
const KEPT_FOR_PAUSE = 1;
/** So many of a call's decide how many are made in the turns after them. */
const JUDGED_AFTER = 4;

/** The voice has faded, which may be a pause. */
export const isFading = ({ user, fadedMs }: TurnState): boolean =>
  user.is === "speaking" && fadedMs !== undefined;

function most({ judged, useful }: Attempts): number {
  if (judged < JUDGED_AFTER || useful * 4 >= judged) return MOST;
  return useful * 8 >= judged ? 2 : 1;
}

/** Whether one more attempt is in order; while the voice has but faded, only if one is left for later. */
export const mayTry = (attempts: Attempts, state: TurnState): boolean =>
  most(attempts) - attempts.made > (isFading(state) ? KEPT_FOR_PAUSE : 0);

/** Whether an answer is prepared to words that are final, and likely the last: also when all others were made in vain. */
export const mayTryFinal = (attempts: Attempts, state: TurnState): boolean =>
  mayTry(attempts, state) || (!isFading(state) && most(attempts) === MOST && attempts.made === MOST);

/** One more was made. */
export const tried = (attempts: Attempts): Attempts => ({ ...attempts, made: attempts.made + 1 });

/** It is known of one whether it was of use. */
export const judged = (attempts: Attempts, useful: boolean): Attempts => ({
  ...attempts,
  judged: attempts.judged + 1,
  useful: attempts.useful + (useful ? 1 : 0),
});

/** It is known whether the final that was asked for last was that of the whole turn; one at a pause costs nothing. */
export const judgeAsked = ({ asks, asked }: TurnState, useful: boolean): Attempts =>
  asked?.early ? judged(asks, useful) : asks;

/** The turn is over. */
export const ofNextTurn = (attempts: Attempts): Attempts => ({ ...attempts, made: 0 });
