/**
 * Whether anybody is still talking: one row a policy, as in policies.ts. Silence is that of both sides: nobody speaks and
 * nothing is under way. All times are clock milliseconds.
 */

/** `quietSinceMs`: when both fell silent; missing while somebody speaks or something is under way. */
export type PresenceState =
  | { readonly is: "present"; readonly quietSinceMs?: number }
  /** Nobody has said anything for long; `prompts`: how often the user was asked since. */
  | {
    readonly is: "away";
    readonly sinceMs: number;
    readonly prompts: number;
    readonly quietSinceMs?: number;
  }
  /** The call is being ended; from "user-away" the user's words still bring it back. */
  | { readonly is: "leaving"; readonly reason: EndReason; readonly awaySinceMs: number };

/** Why a call is ended that nobody ended; "shutdown": its process ends. */
export type EndReason = "user-away" | "max-duration" | "cost-cap" | "shutdown";

/** `quiet`: nobody speaks now, and nothing is under way. `returned`: the user has said or typed words. */
export interface PresenceEvent {
  readonly nowMs: number;
  readonly quiet: boolean;
  readonly returned: boolean;
}

export type PresenceAction =
  | { readonly type: "report-user-away"; readonly silentMs: number }
  | { readonly type: "report-user-returned"; readonly awayMs: number }
  /** Say the prompt of that index. */
  | { readonly type: "prompt-user"; readonly index: number }
  | { readonly type: "end-call"; readonly reason: EndReason };

export interface PresenceOptions {
  /** Silence after which the user counts as away. */
  readonly afterMs: number;
  /** How many prompts there are: one when the user is away, the next after each `afterMs` of silence more. */
  readonly prompts: number;
  /** Silence after that, and after the last prompt, which ends the call. */
  readonly closeAfterMs: number;
  /** When the call has lasted long enough; Infinity: never. */
  readonly endsAtMs: number;
  /** Whether it has cost enough. */
  readonly isSpent: boolean;
}

export interface PresenceResult {
  readonly state: PresenceState;
  readonly actions: readonly PresenceAction[];
  /** When to ask again, if nothing happens before. */
  readonly wakeAtMs: number | undefined;
}

interface Row {
  readonly name: string;
  dueMs(state: PresenceState, options: PresenceOptions): number | undefined;
  decide(state: PresenceState, nowMs: number): { state: PresenceState; action: PresenceAction };
}

export const initialPresence: PresenceState = { is: "present" };

const awaySince = (state: PresenceState, nowMs: number): number =>
  state.is === "away" ? state.sinceMs : state.is === "leaving" ? state.awaySinceMs : nowMs;

const endBecause = (reason: EndReason): Row["decide"] => (state, nowMs) => ({
  state: { is: "leaving", reason, awaySinceMs: awaySince(state, nowMs) },
  action: { type: "end-call", reason },
});

/** Whether nothing brings the call back. */
export const isEnding = (state: PresenceState): boolean =>
  state.is === "leaving" && state.reason !== "user-away";

const maxDuration: Row = {
  name: "max-duration",
  dueMs: (state, { endsAtMs }) => isEnding(state) ? undefined : endsAtMs,
  decide: endBecause("max-duration"),
};

const costCap: Row = {
  name: "cost-cap",
  dueMs: (state, { isSpent }) => isEnding(state) || !isSpent ? undefined : -Infinity,
  decide: endBecause("cost-cap"),
};

const away: Row = {
  name: "away",
  dueMs: (state, { afterMs }) =>
    state.is === "present" && state.quietSinceMs !== undefined ? state.quietSinceMs + afterMs : undefined,
  decide(state, nowMs) {
    const quietSinceMs = (state.is === "present" ? state.quietSinceMs : undefined) ?? nowMs;
    return {
      state: { is: "away", sinceMs: nowMs, prompts: 0, quietSinceMs },
      action: { type: "report-user-away", silentMs: nowMs - quietSinceMs },
    };
  },
};

const prompt: Row = {
  name: "prompt",
  dueMs(state, { afterMs, prompts }) {
    if (state.is !== "away" || state.quietSinceMs === undefined || state.prompts >= prompts) return undefined;
    return state.prompts === 0 ? state.sinceMs : state.quietSinceMs + afterMs;
  },
  decide(state) {
    if (state.is !== "away") throw new Error("the row does not apply to this state");
    const { sinceMs, prompts } = state;
    // What is to be said is under way from now on.
    return {
      state: { is: "away", sinceMs, prompts: prompts + 1 },
      action: { type: "prompt-user", index: prompts },
    };
  },
};

const giveUp: Row = {
  name: "give-up",
  dueMs(state, { closeAfterMs, prompts }) {
    if (state.is !== "away" || state.quietSinceMs === undefined || state.prompts < prompts) return undefined;
    return Math.max(state.sinceMs, state.quietSinceMs) + closeAfterMs;
  },
  decide: endBecause("user-away"),
};

const rows: readonly Row[] = [maxDuration, costCap, away, prompt, giveUp];

/** What `event` makes of `state`, and what is to be done. */
export function presence(
  state: PresenceState,
  { nowMs, quiet, returned }: PresenceEvent,
  options: PresenceOptions,
): PresenceResult {
  const actions: PresenceAction[] = [];
  let next = state;
  const gone = next.is === "away" || (next.is === "leaving" && next.reason === "user-away");
  if (gone && returned) {
    actions.push({ type: "report-user-returned", awayMs: nowMs - awaySince(next, nowMs) });
    next = initialPresence;
  }
  next = noteQuiet(next, quiet, nowMs);
  for (;;) {
    const due = rows.find((row) => (row.dueMs(next, options) ?? Infinity) <= nowMs);
    if (!due) break;
    const decision = due.decide(next, nowMs);
    next = decision.state;
    actions.push(decision.action);
  }
  const wakeAtMs = Math.min(...rows.map((row) => row.dueMs(next, options) ?? Infinity));
  return { state: next, actions, wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs };
}

/** The same state where all times are later by `ms`. */
export function shifted(state: PresenceState, ms: number): PresenceState {
  const quiet = "quietSinceMs" in state && state.quietSinceMs !== undefined
    ? { quietSinceMs: state.quietSinceMs + ms }
    : {};
  switch (state.is) {
    case "present":
      return { ...state, ...quiet };
    case "away":
      return { ...state, sinceMs: state.sinceMs + ms, ...quiet };
    case "leaving":
      return { ...state, awaySinceMs: state.awaySinceMs + ms };
  }
}

function noteQuiet(state: PresenceState, quiet: boolean, nowMs: number): PresenceState {
  if (state.is === "leaving" || quiet === (state.quietSinceMs !== undefined)) return state;
  if (quiet) return { ...state, quietSinceMs: nowMs };
  const { quietSinceMs: _, ...rest } = state;
  return rest;
}
