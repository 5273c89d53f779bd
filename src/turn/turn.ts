/** Turn-taking as a pure function: no I/O, no timers, no promises. The session performs what it decides. */
import { note } from "./note.ts";
import { policies } from "./policies.ts";
import { commit, interrupt, isUninterruptible, yields } from "./policy.ts";
import type { TurnAction, TurnEvent, TurnOptions, TurnState } from "./state.ts";

export interface TurnResult {
  readonly state: TurnState;
  readonly actions: readonly TurnAction[];
  /** When to send "wake", if nothing happens before; in the future. */
  readonly wakeAtMs: number | undefined;
}

/** What `event` makes of `state`, and what is to be done. */
export function turn(state: TurnState, event: TurnEvent, options: TurnOptions): TurnResult {
  let next = note(state, event, options);
  const actions: TurnAction[] = [];
  const take = (decision: { state: TurnState; actions: readonly TurnAction[] }) => {
    next = decision.state;
    actions.push(...decision.actions);
  };
  if (event.type === "interrupt") take(interrupt(next));
  if (event.type === "turn-start" && yields(next, options)) take(interrupt(next));
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
