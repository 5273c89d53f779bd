/** Answers that are prepared before it is known whether the turn is over. */
import { isFading, mayTry, tried } from "./attempts.ts";
import { isExpectingMore, turnEndsMs } from "./endpointing.ts";
import { listensByItself, NOW, type Policy, wordsOf } from "./policy.ts";
import type { TurnOptions, TurnState } from "./state.ts";
import { saidOf, sameWords, textOf } from "./words.ts";

/** Words after which more is to be expected are prepared for only this long before they count as the whole turn. */
const AHEAD_MS = 800;
/** From when on an answer to the words there are is worth its tokens. */
function worthMs(state: TurnState, options: TurnOptions): number | undefined {
  const isLikelyOver = state.recognizedEnd === "likely";
  if (state.user.is === "speaking" && !isFading(state) && !isLikelyOver) return undefined;
  if (!listensByItself(state, options)) return state.key.is === "released" ? NOW : undefined;
  if (isLikelyOver) return NOW;
  const { minDelayMs, maxDelayMs } = options.endpointing;
  if (maxDelayMs <= minDelayMs || !isExpectingMore(state, options)) return NOW;
  if (state.user.is === "speaking") return undefined;
  const endsMs = turnEndsMs(state, options);
  return endsMs === undefined ? undefined : endsMs - AHEAD_MS;
}

/**
 * The user is silent, or the recognizer thinks it likely that they have finished: prepare the answer to the words there are,
 * while it is waited whether the turn is over.
 */
export const speculate: Policy = {
  name: "speculate",
  dueMs(state, options) {
    if (!options.speculate || state.agent.is !== "silent" || wordsOf(state) === 0) return undefined;
    if (!mayTry(state.preparations, state)) return undefined; // each costs tokens
    if (sameWords(state.prepared ?? "", textOf(state.words))) return undefined;
    return worthMs(state, options);
  },
  decide(state) {
    const text = textOf(state.words);
    return {
      state: { ...state, prepared: text, preparations: tried(state.preparations) },
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
