/** What the rows of turn-taking are made of. */
import type { AgentVoice, TurnAction, TurnOptions, TurnState } from "./state.ts";
import { judgeAsked, judged, ofNextTurn } from "./attempts.ts";
import { commitWords, countWords, saidOf, sameWords, textOf } from "./words.ts";

export interface Decision {
  readonly state: TurnState;
  readonly actions: readonly TurnAction[];
}

/** A row: from what time on it applies to a state (undefined: it does not), and what it then does. */
export interface Policy {
  readonly name: string;
  dueMs(state: TurnState, options: TurnOptions): number | undefined;
  decide(state: TurnState, nowMs: number, options: TurnOptions): Decision;
}

/** Due whenever it applies. */
export const NOW = -Infinity;

/** How many words the turn has so far. */
export const wordsOf = (state: TurnState): number => countWords(textOf(state.words));

/** Whether there are words, and all of them are final. */
export const settled = ({ words }: TurnState): boolean => words.final !== "" && words.interim === "";

/** Whether the voice was heard after a final that was asked for, and the recognizer has not said yet what words it had. */
export const isUnrecognized = ({ asked, words }: TurnState): boolean =>
  asked !== undefined && (asked.voice === "unrecognized" || (!asked.answered && words.interim === ""));

/** When the voice was last heard; when the detector heard none, the words' arrival stands for it. */
export const lastVoicedMs = ({ user, words }: TurnState): number =>
  user.is === "pausing" || user.is === "stopped" ? user.lastVoicedMs : words.atMs;

/** Whether the user has fallen silent after speaking. */
export const isPausing = ({ user }: TurnState): boolean => user.is === "pausing" || user.is === "stopped";

/** Whether an answer is being prepared to all that the user has said in the turn so far. */
export function isPrepared(state: TurnState, { hearsVoice }: TurnOptions): boolean {
  const { prepared, words } = state;
  if (prepared === undefined) return false;
  if (!hearsVoice) return sameWords(prepared.text, textOf(words));
  return isPausing(state) && prepared.voicedMs === lastVoicedMs(state);
}

/** Whether what the agent is saying is to be played out, whatever the user says. */
export const isUninterruptible = (agent: AgentVoice): boolean =>
  (agent.is === "thinking" || agent.is === "speaking") && agent.uninterruptible === true;

/** Whether the agent has asked the user something, and waits for the answer. */
export const isAsking = (agent: AgentVoice): boolean =>
  (agent.is === "thinking" || agent.is === "speaking") && agent.asks === true;

/** Whether the user's voice may stop what the agent is at. */
export const yields = ({ agent }: TurnState, { interruption }: TurnOptions): boolean =>
  interruption.allowed && !isUninterruptible(agent) && !isAsking(agent);

/** Whether silence ends the turn and a voice is meant for the agent: not so where a key says when the user talks. */
export const listensByItself = ({ key }: TurnState, { detection }: TurnOptions): boolean =>
  key.is === "up" && detection !== "manual";

/** What the user's words are, over the agent's speech. */
export type Weight = "none" | "listening" | "stop" | "words";

/**
 * Weighs the words there are against the lists of what only listens and what stops at once. Words that the recognizer has
 * guessed stop nobody, unless it is a stop word that it guesses.
 */
export function weight({ words }: TurnState, { interruption }: TurnOptions): Weight {
  const text = textOf(words);
  if (text === "") return "none";
  if (interruption.stopWords?.isIn(text)) return "stop";
  if (words.guessed) return "listening";
  return interruption.backchannels?.isAll(text) ? "listening" : "words";
}

/** Ends the user's turn with the words there are. */
export function commit(state: TurnState, declined: boolean, options: TurnOptions): Decision {
  const turns = state.turns + 1;
  const turnId = `turn-${turns}`;
  const text = textOf(state.words);
  const prepared = isPrepared(state, options);
  const action: TurnAction = {
    type: "commit-turn",
    turnId,
    text,
    said: saidOf(state.words),
    declined,
    prepared,
    lastVoicedMs: lastVoicedMs(state),
    ...(state.words.finalAtMs === undefined ? {} : { finalAtMs: state.words.finalAtMs }),
  };
  return {
    state: {
      ...state,
      user: { is: "silent" },
      words: commitWords(state.words),
      agent: declined ? state.agent : { is: "thinking", replyId: turnId, answers: true },
      key: { is: "up" },
      recognizedEnd: "none",
      voicedUntilMs: lastVoicedMs(state),
      turns,
      prepared: undefined,
      preparations: ofNextTurn(
        state.preparations.made > 0 ? judged(state.preparations, prepared) : state.preparations,
      ),
      gaveWay: false,
      asked: undefined,
      asks: ofNextTurn(judgeAsked(state, state.asked?.answered === true && state.asked.voice === "none")),
    },
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

/** The same for more words; where nothing of it was heard, what it answers is to be answered together with them. */
export function giveWay(state: TurnState): Decision {
  const { agent } = state;
  const { state: next, actions } = interrupt(state);
  return {
    state: { ...next, gaveWay: (agent.is === "thinking" || agent.is === "held") && agent.answers },
    actions,
  };
}

/** Ends the user's turn: it answers what the agent has asked, or cuts off what it is at. */
export function endTurn(state: TurnState, options: TurnOptions): Decision {
  const { consent } = options;
  const { agent } = state;
  const agreed = isAsking(agent) ? consent?.(textOf(state.words)) : undefined;
  if (agreed === undefined) {
    const cut = interrupt(state);
    const committed = commit(cut.state, false, options);
    return { state: committed.state, actions: [...cut.actions, ...committed.actions] };
  }
  const committed = commit(state, false, options);
  return {
    state: { ...committed.state, agent: withoutQuestion(agent) },
    actions: committed.actions.map((action) =>
      action.type === "commit-turn" ? { ...action, agreed } : action
    ),
  };
}

/** The agent once it does not wait for an answer any more. */
export function withoutQuestion(agent: AgentVoice): AgentVoice {
  if (agent.is !== "thinking" && agent.is !== "speaking") return agent;
  const { asks: _, ...rest } = agent;
  return rest;
}
