/** Answers that are prepared before it is known whether the turn is over. */
import { finished, turnEndsMs } from "./endpointing.ts";
import { listensByItself, NOW, type Policy, wordsOf } from "./policy.ts";
import type { TurnOptions, TurnState } from "./state.ts";
import { saidOf, sameWords, textOf } from "./words.ts";

/** So many answers are prepared for one turn at the most: each costs tokens. */
const MOST_PREPARATIONS = 3;
/** So many of them are kept for when the detector, too, is sure that the user has paused. */
const KEPT_FOR_PAUSE = 1;
/** What a call has shown after so many turns decides how many are made for the next. */
const JUDGED_AFTER = 4;
/** Words after which more is to be expected are prepared for only this long before they count as the whole turn. */
const AHEAD_MS = 800;
/** From this probability of the end on, an answer is prepared at once. */
const LIKELY = 0.5;

/** How many answers may be prepared for one turn: fewer in a call where few turns were answered by one. */
function mostPreparations({ speculation: { turns, kept } }: TurnState): number {
  if (turns < JUDGED_AFTER || kept * 4 >= turns) return MOST_PREPARATIONS;
  return kept * 8 >= turns ? 2 : 1;
}

/** The voice has faded, which may be a pause: worth an answer to the words there are, if some are left for later. */
const isFading = ({ user, faded }: TurnState): boolean => user.is === "speaking" && faded;

/** From when on an answer to the words there are is worth its tokens. */
function worthMs(state: TurnState, options: TurnOptions): number | undefined {
  if (state.user.is === "speaking" && !isFading(state)) return undefined;
  if (!listensByItself(state, options)) return state.key.is === "released" ? NOW : undefined;
  const { minDelayMs, maxDelayMs } = options.endpointing;
  const isWaitedFor = maxDelayMs > minDelayMs && (finished(state, options) ?? 1) < LIKELY;
  if (!isWaitedFor) return NOW;
  if (state.user.is === "speaking") return undefined;
  const endsMs = turnEndsMs(state, options);
  return endsMs === undefined ? undefined : endsMs - AHEAD_MS;
}

/** The user is silent: prepare the answer to the words there are, while it is waited whether the turn is over. */
export const speculate: Policy = {
  name: "speculate",
  dueMs(state, options) {
    if (!options.speculate || state.agent.is !== "silent" || wordsOf(state) === 0) return undefined;
    const left = mostPreparations(state) - state.preparations;
    if (left <= (isFading(state) ? KEPT_FOR_PAUSE : 0)) return undefined;
    if (sameWords(state.prepared ?? "", textOf(state.words))) return undefined;
    return worthMs(state, options);
  },
  decide(state) {
    const text = textOf(state.words);
    return {
      state: { ...state, prepared: text, preparations: state.preparations + 1 },
      actions: [{
        type: "prepare-answer",
        turnId: `turn-${state.turns + 1}`,
        text,
        said: saidOf(state.words),
      }],
    };
  },
};

/**
 * The user has said more, takes it back, or the agent has begun to say something else. A voice alone does not drop it:
 * as long as the words are the same the answer is, and the next pause finds it further on.
 */
export const dropPrepared: Policy = {
  name: "drop-prepared",
  dueMs: (state) =>
    state.prepared !== undefined &&
      (state.agent.is !== "silent" || !sameWords(state.prepared, textOf(state.words)))
      ? NOW
      : undefined,
  decide: (state) => ({ state: { ...state, prepared: undefined }, actions: [{ type: "drop-answer" }] }),
};
