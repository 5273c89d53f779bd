/** When the user's turn is over. */
import { delayFor } from "./end_of_turn.ts";
import {
  commit,
  endTurn,
  isAsking,
  isUnrecognized,
  lastVoicedMs,
  listensByItself,
  NOW,
  type Policy,
  settled,
  weight,
  wordsOf,
  yields,
} from "./policy.ts";
import type { TurnOptions, TurnState } from "./state.ts";
import { textOf } from "./words.ts";

/**
 * Words that are not final are given at least this long, and a voice without more words this long, whatever the longest
 * delay: both are for when something fails, not for speed.
 */
const LEAST_WAIT_MS = { final: 1000, voice: 3000 };
/** How long words may be under way when the key was let go. */
const RELEASED_WAIT_MS = 1500;
/** Words over the agent that end this shortly before it does are an answer to what it says. */
const DECLINED_AFTER_MS = 1000;
/** Speech shorter than this was perhaps none: nobody is asked to repeat it. */
const UNHEARD_SPEECH_MS = 400;
/** How long words may be under way from a recognizer that is coming back. */
const UNHEARD_AFTER_MS = 2500;
/** How long the recognizer is waited for when the voice was heard after a final that was asked for, and no words of it. */
const UNRECOGNIZED_MS = 400;
/** The same where the answer is being made meanwhile, and would be spoilt by words that come after the turn. */
const UNRECOGNIZED_HEARD_MS = 2500;
/** Most of somebody's pauses are shorter than so many times their average. */
const OVER_AVERAGE = 1.5;

/** What the sound says of the pause that the user is in. */
function judgedPause({ judged, user }: TurnState): number | undefined {
  const pausedMs = user.is === "pausing" || user.is === "stopped" ? user.lastVoicedMs : undefined;
  return judged?.atMs === pausedMs ? judged?.probability : undefined;
}

/**
 * The probability that the user has finished: by a recognizer that has judged it, knowing what was said and how, unless
 * something is dictated, of which it knows nothing; by their words, or else by the sound of them.
 */
export function finished(state: TurnState, { endpointing, consent }: TurnOptions): number | undefined {
  const text = textOf(state.words);
  // Who is asked whether it is right, and says so, dictates nothing.
  const expected = isAsking(state.agent) && consent?.(text) !== undefined ? undefined : state.expected;
  if (state.recognizedEnd === "judged" && expected === undefined) return 1;
  return endpointing.words?.(text, expected) ?? judgedPause(state);
}

/** From this probability of the end on, no more words are expected. */
const LIKELY = 0.5;

/** Whether the turn is more likely to go on than to be over. */
export const isExpectingMore = (state: TurnState, options: TurnOptions): boolean =>
  (finished(state, options) ?? 1) < LIKELY;

/** Whether the recognizer says that the turn is over. */
const isRecognized = ({ recognizedEnd }: TurnState): boolean =>
  recognizedEnd === "silent" || recognizedEnd === "judged";

/** The silence that ends a turn of which nothing says that it will go on. */
export function shortestDelay(state: TurnState, { endpointing, detection }: TurnOptions): number {
  const { pauses } = state;
  const { minDelayMs, maxDelayMs, dynamic } = endpointing;
  if (detection === "recognizer" && isRecognized(state)) return 0;
  if (!dynamic || pauses.count === 0) return minDelayMs;
  return Math.min(Math.max(minDelayMs, pauses.averageMs * OVER_AVERAGE), Math.max(minDelayMs, maxDelayMs));
}

/** When silence ends the turn, if nothing more is heard; undefined when there is nothing to end. */
export function turnEndsMs(state: TurnState, options: TurnOptions): number | undefined {
  if (!listensByItself(state, options) || wordsOf(state) === 0) return undefined;
  const { maxDelayMs } = options.endpointing;
  const recognized = options.detection === "recognizer" && isRecognized(state) && settled(state);
  if (state.user.is === "speaking" && !recognized) {
    return Math.max(state.words.atMs, state.user.sinceMs) + Math.max(maxDelayMs, LEAST_WAIT_MS.voice);
  }
  if (!settled(state)) {
    return Math.max(lastVoicedMs(state), state.words.atMs) + Math.max(maxDelayMs, LEAST_WAIT_MS.final);
  }
  const minDelayMs = shortestDelay(state, options);
  const delayMs = delayFor(finished(state, options), { minDelayMs, maxDelayMs });
  if (!isUnrecognized(state)) return lastVoicedMs(state) + delayMs;
  return lastVoicedMs(state) +
    Math.max(delayMs, options.hearsVoice ? UNRECOGNIZED_HEARD_MS : UNRECOGNIZED_MS);
}

/**
 * The user's turn is over: after the least silence once the words are final, after the longest with those there are, and
 * also when a voice goes on that brings no more words (music, a television).
 */
export const endOfTurn: Policy = {
  name: "end-of-turn",
  dueMs: (state, options) =>
    state.agent.is === "silent" || isAsking(state.agent) ? turnEndsMs(state, options) : undefined,
  decide: (state, _, options) => endTurn(state, options),
};

/** The words that an answer gave way to were none: the recognizer has taken them back. What was said before is answered. */
export const answerAfterAll: Policy = {
  name: "answer-after-all",
  dueMs(state, options) {
    const { gaveWay, agent, user, words } = state;
    if (!gaveWay || agent.is !== "silent" || wordsOf(state) > 0) return undefined;
    if (!listensByItself(state, options)) return undefined;
    if (user.is === "silent") return NOW;
    if (user.is === "speaking") return Math.max(words.atMs, user.sinceMs) + LEAST_WAIT_MS.voice;
    return user.lastVoicedMs + Math.max(shortestDelay(state, options), LEAST_WAIT_MS.final);
  },
  decide: (state, _, options) => commit(state, false, options),
};

/** The key was let go: the turn is over as soon as its words are final, and cuts off what the agent says. */
export const endOfPress: Policy = {
  name: "end-of-press",
  dueMs(state, options) {
    const { key, user, words } = state;
    if (key.is !== "released" || wordsOf(state) === 0) return undefined;
    if (state.agent.is !== "silent" && !isAsking(state.agent) && !yields(state, options)) return undefined;
    const voiceHeard = user.is === "silent" ||
      (user.is !== "speaking" && (words.finalAtMs ?? -Infinity) >= user.lastVoicedMs);
    return settled(state) && voiceHeard ? NOW : key.atMs + RELEASED_WAIT_MS;
  },
  decide: (state, _, options) => endTurn(state, options),
};

/** The key was let go and no words have come. */
export const emptyPress: Policy = {
  name: "empty-press",
  dueMs: (state) =>
    state.key.is === "released" && wordsOf(state) === 0 ? state.key.atMs + RELEASED_WAIT_MS : undefined,
  decide: (state) => ({
    state: { ...state, key: { is: "up" }, user: { is: "silent" } },
    actions: state.hearing ? [] : [{ type: "ask-again" }],
  }),
};

/** Words that did not stop the agent enter the history, and are not answered. */
export const decline: Policy = {
  name: "decline",
  dueMs(state, options) {
    if (state.agent.is !== "speaking" || state.user.is === "speaking") return undefined;
    if (isAsking(state.agent) || !listensByItself(state, options) || !settled(state)) return undefined;
    // What stopped nobody because nobody is to be stopped is answered afterwards.
    if (!yields(state, options) && weight(state, options) !== "listening") return undefined;
    return lastVoicedMs(state) + Math.max(options.endpointing.minDelayMs, DECLINED_AFTER_MS);
  },
  decide: (state, _, options) => commit(state, true, options),
};

/** The user spoke, the recognizer is down and nothing will come: say so. */
export const askAgain: Policy = {
  name: "ask-again",
  dueMs(state, options) {
    const { user, agent, hearing } = state;
    if (hearing || agent.is !== "silent" || user.is !== "stopped" || wordsOf(state) > 0) return undefined;
    if (!listensByItself(state, options)) return undefined;
    if (user.lastVoicedMs - user.sinceMs < UNHEARD_SPEECH_MS) return undefined;
    return user.lastVoicedMs + UNHEARD_AFTER_MS;
  },
  decide: (state) => ({ state: { ...state, user: { is: "silent" } }, actions: [{ type: "ask-again" }] }),
};
