/** Turn-taking as a pure function: no I/O, no timers, no promises. The session performs what it decides. */
import { goOn } from "./interruption.ts";
import { note } from "./note.ts";
import { policies } from "./policies.ts";
import { endTurn, interrupt, isAsking, isUninterruptible, yields } from "./policy.ts";
import type { TurnAction, TurnEvent, TurnOptions, TurnState } from "./state.ts";

export interface TurnResult {
  readonly state: TurnState;
  readonly actions: readonly TurnAction[];
  /** When to send "wake", if nothing happens before; in the future. */
  readonly wakeAtMs: number | undefined;
}

/** What `event` makes of `state`, and what is to be done. */
export function turn(state: TurnState, event: TurnEvent, options: TurnOptions): TurnResult {
  const actions: TurnAction[] = [];
  let next = state;
  const take = (decision: { state: TurnState; actions: readonly TurnAction[] }) => {
    next = decision.state;
    actions.push(...decision.actions);
  };
  // A reply that is kept back for the user's sake, and is not to be any more, goes on.
  const isBack = state.agent.is === "held" || state.agent.is === "paused";
  if (isBack && (event.type === "reply-kept" || event.type === "question-asked")) take(goOn(state));
  next = note(next, event, options);
  if (event.type === "interrupt") take(interrupt(next));
  if (event.type === "turn-start" && yields(next, options)) take(interrupt(next));
  if (event.type === "text-message" && (isAsking(next.agent) || !isUninterruptible(next.agent))) {
    take(endTurn(next, options));
  }
  for (;;) {
    const due = policies.find((policy) => (policy.dueMs(next, options) ?? Infinity) <= event.nowMs);
    if (!due) break;
    take(due.decide(next, event.nowMs, options));
  }
  const wakeAtMs = Math.min(...policies.map((policy) => policy.dueMs(next, options) ?? Infinity));
  return { state: next, actions, wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs };
}
