/** Turn-taking as a pure function: no I/O, no timers, no promises. The session performs what it decides. */
import { commit, interrupt, isUninterruptible, policies } from "./policies.ts";
import type { AgentVoice, TurnAction, TurnEvent, TurnOptions, TurnState, UserVoice } from "./state.ts";
import { hearFinal, hearInterim } from "./words.ts";

export interface TurnResult {
  readonly state: TurnState;
  readonly actions: readonly TurnAction[];
  /** When to send "wake", if nothing happens before; in the future. */
  readonly wakeAtMs: number | undefined;
}

/** What `event` makes of `state`, and what is to be done. */
export function turn(state: TurnState, event: TurnEvent, options: TurnOptions): TurnResult {
  let next = note(state, event);
  const actions: TurnAction[] = [];
  const take = (decision: { state: TurnState; actions: readonly TurnAction[] }) => {
    next = decision.state;
    actions.push(...decision.actions);
  };
  if (event.type === "interrupt") take(interrupt(next));
  if (event.type === "text-message" && !isUninterruptible(next.agent)) {
    take(interrupt(next));
    take(commit(next, false));
  }
  for (;;) {
    const due = policies.find((policy) => (policy.dueMs(next, options) ?? Infinity) <= event.nowMs);
    if (!due) break;
    take(due.decide(next, event.nowMs));
  }
  const wakeAtMs = Math.min(...policies.map((policy) => policy.dueMs(next, options) ?? Infinity));
  return { state: next, actions, wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs };
}

/** Takes note of what happened; decides nothing. */
function note(state: TurnState, event: TurnEvent): TurnState {
  switch (event.type) {
    case "speech-start":
    case "speech-pause":
    case "speech-resume":
    case "speech-end":
      return { ...state, user: hearVoice(state.user, event.type, event.atMs) };
    case "transcript-interim":
      return { ...state, hearing: true, words: hearInterim(state.words, event.text, event.nowMs) };
    case "transcript-final": {
      return {
        ...state,
        hearing: true,
        words: hearFinal(state.words, event.text, event.nowMs, voicedSinceFinal(state)),
      };
    }
    case "turn-judged":
      return { ...state, judged: { atMs: event.atMs, probability: event.probability } };
    case "text-message": {
      const words = hearFinal(state.words, event.text, event.nowMs, true);
      return { ...state, user: { is: "silent" }, words };
    }
    case "hearing-lost":
    case "hearing-found":
      return { ...state, hearing: event.type === "hearing-found" };
    case "reply-begun":
    case "reply-started":
    case "reply-ended":
      return { ...state, agent: followReply(state.agent, event) };
    case "interrupt":
    case "wake":
      return state;
  }
}

/** Whether the voice was heard after the final transcript before: only then can the same words have been said again. */
function voicedSinceFinal({ user, words }: TurnState): boolean {
  if (user.is === "silent") return false;
  return user.is === "speaking" || user.lastVoicedMs > (words.finalAtMs ?? -Infinity);
}

function hearVoice(user: UserVoice, mark: TurnEvent["type"], atMs: number): UserVoice {
  const sinceMs = user.is === "silent" ? atMs : user.sinceMs;
  switch (mark) {
    case "speech-start":
    case "speech-resume":
      // What was said before and is not committed yet belongs to the same turn; a new start counts its own duration.
      return { is: "speaking", sinceMs: mark === "speech-start" ? atMs : sinceMs };
    case "speech-pause":
      return user.is === "speaking" ? { is: "pausing", sinceMs, lastVoicedMs: atMs } : user;
    case "speech-end":
      return user.is === "silent" ? user : { is: "stopped", sinceMs, lastVoicedMs: atMs };
    default:
      return user;
  }
}

function followReply(
  agent: AgentVoice,
  event: Extract<TurnEvent, { readonly replyId: string }>,
): AgentVoice {
  const { type, replyId } = event;
  if (type === "reply-begun") return { is: "thinking", replyId, answers: false, ...kept(event) };
  if (agent.is === "silent" || agent.replyId !== replyId) return agent;
  if (type === "reply-ended") return { is: "silent" };
  return agent.is === "thinking" ? { is: "speaking", replyId, ...kept(agent) } : agent;
}

const kept = ({ uninterruptible }: { readonly uninterruptible?: true }) =>
  uninterruptible ? { uninterruptible } : {};
