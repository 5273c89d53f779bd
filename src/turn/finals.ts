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
import type { TurnOptions, TurnState } from "./state.ts";

/** By so much of an interruption its words can be told. */
const INTERRUPTION_MS = 700;
/** Silence after which an interruption may have been all. */
const PAUSE_MS = 200;

/** Whether the voice surely goes on after what can be told of it now. */
const isGoingOn = (state: TurnState): boolean => state.user.is === "speaking" && !isFading(state);

/** Whether the user seems to interrupt an agent that hears the voice itself, and nothing says by what words yet. */
const interruptsWordless = (state: TurnState, { hearsVoice }: TurnOptions): boolean =>
  hearsVoice === true && (state.agent.is === "paused" || state.agent.is === "held") &&
  wordsOf(state) === 0 && (!state.asked || (state.asked.answered && state.asked.voice === "unrecognized"));

/** Whether all that the user has said had no words. */
export const hasNoWords = (state: TurnState): boolean =>
  state.asked?.answered === true && state.asked.voice === "none" && wordsOf(state) === 0;

/** Whether the recognizer has yet to say what the last words are, and was not asked for them. */
export function owesFinal(state: TurnState): boolean {
  const { asked } = state;
  if (asked && !asked.answered && asked.voice === "none") return false;
  return !settled(state) || isUnrecognized(state);
}

/**
 * The least delay has passed in silence, and nothing but the final words is waited for. A request in the middle of a
 * sentence costs the recognizer what it knows of it: there are a few in a turn at the most, fewer in a call where the voice
 * mostly went on after them, and none after words that are not the last. A recognizer that tells words only when it is asked
 * is asked in the middle of an interruption, too.
 */
export const askFinal: Policy = {
  name: "ask-final",
  dueMs(state, options) {
    const { agent, user, key, fadedMs } = state;
    if (interruptsWordless(state, options)) {
      if (!mayTry(state.asks, state)) return undefined;
      if (user.is === "speaking") return user.sinceMs + INTERRUPTION_MS;
      return user.is === "silent" ? undefined : user.lastVoicedMs + PAUSE_MS;
    }
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
      asked: { answered: false, voice: isGoingOn(state) ? "unrecognized" : "none", early: isFading(state) },
      asks: tried(judgeAsked(state, false)),
    },
    actions: [{ type: "ask-final" }],
  }),
};
