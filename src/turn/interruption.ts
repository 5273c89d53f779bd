/** The user's voice while the agent is at a reply: what pauses it, stops it, or lets it go on. */
import { hasNoWords } from "./finals.ts";
import {
  type Decision,
  giveWay,
  lastVoicedMs,
  listensByItself,
  NOW,
  type Policy,
  weight,
  wordsOf,
  yields,
} from "./policy.ts";
import type { AgentVoice, TurnAction, TurnState } from "./state.ts";

/** A held or paused reply goes on this long after a voice that brought no words, or only such as listeners say. */
const AFTER_VOICE_MS = 400;

const dismissed = ({ user }: TurnState): { dismissedMs?: number } =>
  user.is === "silent" ? {} : { dismissedMs: user.sinceMs };

function pause(state: TurnState, agent: AgentVoice): Decision {
  if (state.agent.is === "silent") return { state, actions: [] };
  const { replyId } = state.agent;
  return { state: { ...state, agent }, actions: [{ type: "pause-reply", replyId }] };
}

/** The user speaks again before anything was heard of the answer: keep it back until it is clear what for. */
export const hold: Policy = {
  name: "hold",
  dueMs: (state, options) => {
    const { agent, user } = state;
    return listensByItself(state, options) && yields(state, options) && agent.is === "thinking" &&
        user.is === "speaking" && user.sinceMs !== agent.dismissedMs
      ? NOW
      : undefined;
  },
  decide(state, nowMs) {
    if (state.agent.is !== "thinking") return { state, actions: [] };
    const { replyId, answers } = state.agent;
    return pause(state, { is: "held", replyId, answers, sinceMs: nowMs });
  },
};

/** More words for a turn that is being answered and of which nothing was heard: answer the whole of it instead. */
export const supersede: Policy = {
  name: "supersede",
  dueMs(state, options) {
    const { agent } = state;
    if (!listensByItself(state, options) || !yields(state, options)) return undefined;
    if (agent.is !== "thinking" || !agent.answers) return undefined;
    const words = weight(state, options);
    return words === "words" || words === "stop" ? NOW : undefined;
  },
  decide: giveWay,
};

/**
 * Speech over the agent pauses it when it is long enough AND of enough words; a stop word does at any length. Once the
 * agent's own words have come back through the microphone, a voice without words is taken for no interruption.
 */
export const bargeIn: Policy = {
  name: "barge-in",
  dueMs(state, options) {
    const { agent, user } = state;
    const { minDurationMs, minWords } = options.interruption;
    if (agent.is !== "speaking" || !listensByItself(state, options) || !yields(state, options)) {
      return undefined;
    }
    const kind = weight(state, options);
    if (kind === "stop") return NOW;
    if (kind === "listening" || user.is === "silent") return undefined;
    const words = wordsOf(state);
    if (words < minWords) return undefined;
    if (words === 0 && (user.sinceMs === agent.dismissedMs || state.echo.count > 0)) return undefined;
    if (user.is === "speaking") return user.sinceMs + minDurationMs;
    return words > 0 && user.lastVoicedMs - user.sinceMs >= minDurationMs ? NOW : undefined;
  },
  decide(state, nowMs) {
    if (state.agent.is !== "speaking") return { state, actions: [] };
    return pause(state, { is: "paused", replyId: state.agent.replyId, sinceMs: nowMs });
  },
};

/** Words make it an interruption. */
export const confirm: Policy = {
  name: "confirm",
  dueMs(state, options) {
    if (state.agent.is !== "paused" && state.agent.is !== "held") return undefined;
    const words = weight(state, options);
    return words === "words" || words === "stop" ? NOW : undefined;
  },
  decide: giveWay,
};

/** No words in time, the agent's own, or such as listeners say: it was none, and the agent goes on where it stopped. */
export const falseInterruption: Policy = {
  name: "false-interruption",
  dueMs(state, options) {
    const { agent, user, echo } = state;
    if (agent.is !== "paused" && agent.is !== "held") return undefined;
    const latest = agent.sinceMs + options.interruption.falseAfterMs;
    const words = weight(state, options);
    if (words === "none" && echo.atMs >= agent.sinceMs) return NOW;
    if (user.is === "speaking") return latest;
    if (options.hearsVoice && hasNoWords(state)) return NOW;
    if (words === "listening") return Math.min(latest, lastVoicedMs(state) + AFTER_VOICE_MS);
    if (agent.is === "paused") return latest;
    return user.is === "silent" ? NOW : Math.min(latest, user.lastVoicedMs + AFTER_VOICE_MS);
  },
  decide(state) {
    const { agent } = state;
    const decision = goOn(state);
    if (agent.is !== "paused") return decision;
    const report: TurnAction = { type: "report-false-interruption", replyId: agent.replyId };
    return { ...decision, actions: [...decision.actions, report] };
  },
};

/** A reply that is kept back goes on. */
export function goOn(state: TurnState): Decision {
  if (state.agent.is !== "paused" && state.agent.is !== "held") return { state, actions: [] };
  const { replyId } = state.agent;
  const agent: AgentVoice = state.agent.is === "paused"
    ? { is: "speaking", replyId, ...dismissed(state) }
    : { is: "thinking", replyId, answers: state.agent.answers, ...dismissed(state) };
  return { state: { ...state, agent }, actions: [{ type: "resume-reply", replyId }] };
}
