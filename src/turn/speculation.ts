/** Answers that are prepared before it is known whether the turn is over. */
import { isFading, mayTry, mayTryFinal, tried } from "./attempts.ts";
import { isExpectingMore, shortestDelay, turnEndsMs } from "./endpointing.ts";
import { askFinal, hasNoWords, owesFinal } from "./finals.ts";
import {
  isPausing,
  isPrepared,
  lastVoicedMs,
  listensByItself,
  NOW,
  type Policy,
  settled,
  wordsOf,
} from "./policy.ts";
import type { TurnOptions, TurnState } from "./state.ts";
import { saidOf, textOf } from "./words.ts";

/** Words after which more is to be expected are prepared for only this long before they count as the whole turn. */
const AHEAD_MS = 800;
/** Silence after which an answer to the voice is worth preparing: shorter pauses lie within sentences. */
const PAUSE_MS = 200;

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

/** From when on an answer to the voice is, whatever its words. Without speculation that is when silence ends the turn. */
function worthToVoiceMs(state: TurnState, options: TurnOptions): number | undefined {
  const ms = worthMs(state, options);
  if (ms === undefined || !isPausing(state) || hasNoWords(state)) return undefined;
  if (state.key.is === "released") return ms;
  const pauseMs = options.speculate ? PAUSE_MS : shortestDelay(state, options);
  return Math.max(ms, lastVoicedMs(state) + pauseMs);
}

/**
 * The user is silent, or the recognizer thinks it likely that they have finished: prepare the answer to the words there are,
 * while it is waited whether the turn is over. Who hears the voice begins with that, and its words are asked for meanwhile.
 */
export const speculate: Policy = {
  name: "speculate",
  dueMs(state, options) {
    if (state.agent.is !== "silent" || isPrepared(state, options)) return undefined;
    const may = settled(state) ? mayTryFinal : mayTry;
    if (!may(state.preparations, state)) return undefined; // each costs tokens
    if (options.hearsVoice) return worthToVoiceMs(state, options);
    return options.speculate && wordsOf(state) > 0 ? worthMs(state, options) : undefined;
  },
  decide(state, nowMs, options) {
    const asks = options.hearsVoice && owesFinal(state);
    const asked = asks ? askFinal.decide(state, nowMs, options) : { state, actions: [] };
    const text = textOf(state.words);
    return {
      state: {
        ...asked.state,
        prepared: { text, voicedMs: lastVoicedMs(state) },
        preparations: tried(state.preparations),
      },
      actions: [...asked.actions, {
        type: "prepare-answer",
        turnId: `turn-${state.turns + 1}`,
        text,
        said: saidOf(state.words),
      }],
    };
  },
};

/**
 * The user has said more, takes it back, or the agent has begun to say something else. A voice alone does not drop what
 * answers words: as long as they are the same the answer is, and the next pause finds it further on. What answers a voice is
 * dropped when that goes on, or has no words.
 */
export const dropPrepared: Policy = {
  name: "drop-prepared",
  dueMs: (state, options) =>
    state.prepared !== undefined &&
      (state.agent.is !== "silent" || !isPrepared(state, options) ||
        (options.hearsVoice && hasNoWords(state)))
      ? NOW
      : undefined,
  decide: (state) => ({ state: { ...state, prepared: undefined }, actions: [{ type: "drop-answer" }] }),
};
