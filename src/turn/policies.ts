/**
 * Who speaks when: one row a policy. A row says from what time on it applies to a state (undefined: it does not), and
 * what it then does. Rows are tried from top to bottom.
 */
import { delayFor } from "./end_of_turn.ts";
import type { AgentVoice, TurnAction, TurnOptions, TurnState } from "./state.ts";
import { commitWords, countWords, sameWords, textOf } from "./words.ts";

export interface Decision {
  readonly state: TurnState;
  readonly actions: readonly TurnAction[];
}

export interface Policy {
  readonly name: string;
  dueMs(state: TurnState, options: TurnOptions): number | undefined;
  decide(state: TurnState, nowMs: number): Decision;
}

/** A held reply goes on this long after a voice without words. */
const HELD_AFTER_VOICE_MS = 400;
/** Speech shorter than this was perhaps none: nobody is asked to repeat it. */
const UNHEARD_SPEECH_MS = 400;
/** How long words may be under way from a recognizer that is coming back. */
const UNHEARD_AFTER_MS = 2500;

/**
 * Words that are not final are given at least this long, and a voice without more words this long, whatever the longest
 * delay: both are for when something fails, not for speed.
 */
const LEAST_WAIT_MS = { final: 1000, voice: 3000 };

/** So many answers are prepared for one turn at the most: each costs tokens. */
const MOST_PREPARATIONS = 3;

const NOW = -Infinity;

const wordsOf = (state: TurnState): number => countWords(textOf(state.words));
const settled = ({ words }: TurnState): boolean => words.final !== "" && words.interim === "";

/** When the voice was last heard; when the detector heard none, the words' arrival stands for it. */
const lastVoicedMs = ({ user, words }: TurnState): number =>
  user.is === "pausing" || user.is === "stopped" ? user.lastVoicedMs : words.atMs;

/** What the sound says of the pause that the user is in. */
function judgedPause({ judged, user }: TurnState): number | undefined {
  const pausedMs = user.is === "pausing" || user.is === "stopped" ? user.lastVoicedMs : undefined;
  return judged?.atMs === pausedMs ? judged?.probability : undefined;
}

/** Whether what the agent is saying is to be played out, whatever the user says. */
export const isUninterruptible = (agent: AgentVoice): boolean =>
  (agent.is === "thinking" || agent.is === "speaking") && agent.uninterruptible === true;

/** Ends the user's turn with the words there are. */
export function commit(state: TurnState, declined: boolean): Decision {
  const turns = state.turns + 1;
  const turnId = `turn-${turns}`;
  const action: TurnAction = {
    type: "commit-turn",
    turnId,
    text: textOf(state.words),
    declined,
    prepared: state.prepared !== undefined && sameWords(state.prepared, textOf(state.words)),
    lastVoicedMs: lastVoicedMs(state),
    ...(state.words.finalAtMs === undefined ? {} : { finalAtMs: state.words.finalAtMs }),
  };
  const agent: AgentVoice = declined ? state.agent : { is: "thinking", replyId: turnId, answers: true };
  const words = commitWords(state.words);
  return {
    state: { ...state, user: { is: "silent" }, words, agent, turns, prepared: undefined, preparations: 0 },
    actions: [action],
  };
}

/** The reply that the agent is at gives way to the user. */
export function interrupt(state: TurnState): Decision {
  if (state.agent.is === "silent") return { state, actions: [] };
  return {
    state: { ...state, agent: { is: "silent" } },
    actions: [{ type: "interrupt-reply", replyId: state.agent.replyId }],
  };
}

const dismissed = ({ user }: TurnState): { dismissedMs?: number } =>
  user.is === "silent" ? {} : { dismissedMs: user.sinceMs };

/** The user speaks again before anything was heard of the answer: keep it back until it is clear what for. */
const hold: Policy = {
  name: "hold",
  dueMs: ({ agent, user }, { interruption }) =>
    interruption.allowed && agent.is === "thinking" && !agent.uninterruptible && user.is === "speaking" &&
      user.sinceMs !== agent.dismissedMs
      ? NOW
      : undefined,
  decide(state, nowMs) {
    if (state.agent.is !== "thinking") return { state, actions: [] };
    const { replyId, answers } = state.agent;
    return {
      state: { ...state, agent: { is: "held", replyId, answers, sinceMs: nowMs } },
      actions: [{ type: "pause-reply", replyId }],
    };
  },
};

/** More words for a turn that is being answered and of which nothing was heard: answer the whole of it instead. */
const supersede: Policy = {
  name: "supersede",
  dueMs: (state, { interruption }) =>
    interruption.allowed && state.agent.is === "thinking" && state.agent.answers && wordsOf(state) > 0
      ? NOW
      : undefined,
  decide: interrupt,
};

/** Speech over the agent, long enough AND of enough words, pauses it. */
const bargeIn: Policy = {
  name: "barge-in",
  dueMs(state, { interruption: { allowed, minDurationMs, minWords } }) {
    const { agent, user } = state;
    if (!allowed || agent.is !== "speaking" || agent.uninterruptible || user.is === "silent") {
      return undefined;
    }
    const words = wordsOf(state);
    if (words < minWords || (user.sinceMs === agent.dismissedMs && words === 0)) return undefined;
    if (user.is === "speaking") return user.sinceMs + minDurationMs;
    return words > 0 && user.lastVoicedMs - user.sinceMs >= minDurationMs ? NOW : undefined;
  },
  decide(state, nowMs) {
    if (state.agent.is !== "speaking") return { state, actions: [] };
    const { replyId } = state.agent;
    return {
      state: { ...state, agent: { is: "paused", replyId, sinceMs: nowMs } },
      actions: [{ type: "pause-reply", replyId }],
    };
  },
};

/** Words make it an interruption. */
const confirm: Policy = {
  name: "confirm",
  dueMs: (state) =>
    (state.agent.is === "paused" || state.agent.is === "held") && wordsOf(state) > 0 ? NOW : undefined,
  decide: interrupt,
};

/** No words in time: it was none, and the agent goes on where it stopped. */
const falseInterruption: Policy = {
  name: "false-interruption",
  dueMs({ agent, user }, { interruption }) {
    if (agent.is !== "paused" && agent.is !== "held") return undefined;
    const latest = agent.sinceMs + interruption.falseAfterMs;
    if (agent.is === "paused" || user.is === "speaking") return latest;
    return user.is === "silent" ? NOW : Math.min(latest, user.lastVoicedMs + HELD_AFTER_VOICE_MS);
  },
  decide(state) {
    if (state.agent.is !== "paused" && state.agent.is !== "held") return { state, actions: [] };
    const { replyId } = state.agent;
    const agent: AgentVoice = state.agent.is === "paused"
      ? { is: "speaking", replyId, ...dismissed(state) }
      : { is: "thinking", replyId, answers: state.agent.answers, ...dismissed(state) };
    const actions: TurnAction[] = [{ type: "resume-reply", replyId }];
    if (agent.is === "speaking") actions.push({ type: "report-false-interruption", replyId });
    return { state: { ...state, agent }, actions };
  },
};

/**
 * The user's turn is over: after the least silence once the words are final, after the longest with those there are, and
 * also when a voice goes on that brings no more words (music, a television).
 */
const endOfTurn: Policy = {
  name: "end-of-turn",
  dueMs(state, { endpointing: { minDelayMs, maxDelayMs } }) {
    if (state.agent.is !== "silent" || wordsOf(state) === 0) return undefined;
    if (state.user.is === "speaking") {
      return Math.max(state.words.atMs, state.user.sinceMs) + Math.max(maxDelayMs, LEAST_WAIT_MS.voice);
    }
    if (settled(state)) return lastVoicedMs(state) + delayFor(judgedPause(state), { minDelayMs, maxDelayMs });
    return Math.max(lastVoicedMs(state), state.words.atMs) + Math.max(maxDelayMs, LEAST_WAIT_MS.final);
  },
  decide: (state) => commit(state, false),
};

/** The user is silent: prepare the answer to the words there are, while it is waited whether the turn is over. */
const speculate: Policy = {
  name: "speculate",
  dueMs(state, options) {
    if (!options.speculate || state.agent.is !== "silent" || state.user.is === "speaking") return undefined;
    if (wordsOf(state) === 0 || state.preparations >= MOST_PREPARATIONS) return undefined;
    return sameWords(state.prepared ?? "", textOf(state.words)) ? undefined : NOW;
  },
  decide(state) {
    const text = textOf(state.words);
    return {
      state: { ...state, prepared: text, preparations: state.preparations + 1 },
      actions: [{ type: "prepare-answer", turnId: `turn-${state.turns + 1}`, text }],
    };
  },
};

/** The user goes on, or the agent has begun to say something else. */
const dropPrepared: Policy = {
  name: "drop-prepared",
  dueMs: ({ prepared, user, agent }) =>
    prepared !== undefined && (user.is === "speaking" || agent.is !== "silent") ? NOW : undefined,
  decide: (state) => ({ state: { ...state, prepared: undefined }, actions: [{ type: "drop-answer" }] }),
};

/** Words that did not stop the agent enter the history, and are not answered. */
const decline: Policy = {
  name: "decline",
  dueMs(state, { endpointing, interruption }) {
    if (!interruption.allowed || state.agent.is !== "speaking" || isUninterruptible(state.agent)) {
      return undefined;
    }
    if (state.user.is === "speaking") return undefined;
    return settled(state) ? lastVoicedMs(state) + endpointing.minDelayMs : undefined;
  },
  decide: (state) => commit(state, true),
};

/** The user spoke, the recognizer is down and nothing will come: say so. */
const askAgain: Policy = {
  name: "ask-again",
  dueMs(state) {
    const { user, agent, hearing } = state;
    if (hearing || agent.is !== "silent" || user.is !== "stopped" || wordsOf(state) > 0) return undefined;
    if (user.lastVoicedMs - user.sinceMs < UNHEARD_SPEECH_MS) return undefined;
    return user.lastVoicedMs + UNHEARD_AFTER_MS;
  },
  decide: (state) => ({ state: { ...state, user: { is: "silent" } }, actions: [{ type: "ask-again" }] }),
};

export const policies: readonly Policy[] = [
  hold,
  supersede,
  bargeIn,
  confirm,
  falseInterruption,
  endOfTurn,
  dropPrepared,
  speculate,
  decline,
  askAgain,
];
