/** Final words that are asked for: left to itself, a recognizer waits for a silence of its own before it is sure. */
import { isFading, judgeAsked, mayTry, tried } from "./attempts.ts";
import { isExpectingMore, shortestDelay } from "./endpointing.ts";
import {
  isAsking,
  isUnrecognized,
  lastVoicedMs,
  listensByItself,
  NOW,
  type Policy,
  settled,
  wordsOf,
} from "./policy.ts";
import type { TurnState } from "./state.ts";

/** Whether the recognizer has yet to say what the last words are, and was not asked for them. */
function owesFinal(state: TurnState): boolean {
  const { asked } = state;
  if (asked && !asked.answered && asked.voice === "none") return false;
  return !settled(state) || isUnrecognized(state);
}

/**
 * The least delay has passed in silence, and nothing but the final words is waited for. A request in the middle of a
 * sentence costs the recognizer what it knows of it: there are a few in a turn at the most, fewer in a call where the voice
 * mostly went on after them, and none after words that are not the last.
 */
export const askFinal: Policy = {
  name: "ask-final",
  dueMs(state, options) {
    const { agent, user, key, fadedMs } = state;
    if (agent.is !== "silent" && !isAsking(agent)) return undefined;
    if (wordsOf(state) === 0 || !owesFinal(state) || !mayTry(state.asks, state)) return undefined;
    if (key.is === "released") return NOW;
    if (!listensByItself(state, options) || options.detection === "recognizer") return undefined;
    const silentMs = user.is === "speaking" ? fadedMs : lastVoicedMs(state);
    if (silentMs === undefined || isExpectingMore(state, options)) return undefined;
    return silentMs + shortestDelay(state, options);
  },
  decide: (state) => ({
    state: {
      ...state,
      asked: { answered: false, voice: "none", early: isFading(state) },
      asks: tried(judgeAsked(state, false)),
    },
    actions: [{ type: "ask-final" }],
  }),
};
