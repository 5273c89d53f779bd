/** Turn-taking as it runs: keeps its state, takes events in one after the other, and wakes it when it asked for that. */
import type { Clock } from "./clock.ts";
import type { SessionEventBody } from "./events.ts";
import { commit } from "./turn/policy.ts";
import {
  initialTurnState,
  type TurnAction,
  type TurnEvent,
  type TurnOptions,
  type TurnState,
  type UserVoice,
} from "./turn/state.ts";
import { turn } from "./turn/turn.ts";
import { begunWords, textOf } from "./turn/words.ts";

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** What happened, before its time is stamped on it. */
export type UnstampedTurnEvent = Without<TurnEvent, "nowMs">;

export interface TurnTakerOptions {
  readonly charge: { readonly current: { readonly turnTaking: TurnOptions } };
  /** How many turns the session has had before (default: none). */
  readonly turnsBefore?: number | undefined;
  /** What the user has said of the turn that they are at (default: they are at none). */
  readonly begun?: string | undefined;
  readonly clock: Clock;
  readonly emit: (event: SessionEventBody) => void;
  /** Performs what was decided. */
  readonly perform: (action: TurnAction, event: TurnEvent) => void;
  /** Told of each event when all of it was performed. */
  readonly onDecided: (event: TurnEvent) => void;
  /** Told when nothing waits to be taken in. */
  readonly onSettled: () => void;
}

export interface TurnTaker {
  readonly state: TurnState;
  /** Since when the agent has been doing what it does (clock milliseconds). */
  readonly agentSinceMs: number;
  /** Whether an event is being taken in: what comes meanwhile waits. */
  readonly deciding: boolean;
  /** Takes in something that happened. */
  note(event: UnstampedTurnEvent): void;
  /** What comes from now on waits, and nothing is performed, until what this returns is called: then it is taken in. */
  hold(): () => void;
  /** Ends it: the last words were said, whether or not it was known that the turn was over. Not while it is held. */
  end(): void;
}

export const userSpeaks = ({ user }: TurnState): boolean => user.is === "speaking" || user.is === "pausing";

/** Whether the user has said or typed something. */
export const hasWords = (event: TurnEvent): boolean =>
  (event.type === "transcript-interim" || event.type === "transcript-final" ||
    event.type === "text-message") &&
  event.text !== "";

/** The user is in the middle of a turn with those words: silent by now, until they are heard to go on. */
const inTurn = (begun: string | undefined, nowMs: number): Partial<TurnState> =>
  begun === undefined ? {} : {
    user: { is: "pausing", sinceMs: nowMs, lastVoicedMs: nowMs },
    words: begunWords(begun, nowMs),
  };

/** Begins in silence, or where `begun` says. */
export function createTurnTaker(
  { charge, turnsBefore = 0, begun, clock, emit, perform, onDecided, onSettled }: TurnTakerOptions,
): TurnTaker {
  const inbox: TurnEvent[] = [];
  let state: TurnState = { ...initialTurnState, turns: turnsBefore, ...inTurn(begun, clock.now()) };
  let agentSinceMs = clock.now();
  let deciding = false;
  let held = false;
  const wakeIn = (ms: number) => clock.after(ms, () => take({ type: "wake", nowMs: clock.now() }));
  let wake: Disposable | undefined = begun === undefined ? undefined : wakeIn(0);

  const stoppedSpeaking = (user: UserVoice, nowMs: number) => {
    const silent = user.is === "pausing" ? { silentMs: nowMs - user.lastVoicedMs } : {};
    emit({ type: "user-stopped-speaking", ...silent });
  };
  const decide = (event: TurnEvent) => {
    const before = state;
    const { state: next, actions, wakeAtMs } = turn(before, event, charge.current.turnTaking);
    state = next;
    if (next.agent.is !== before.agent.is) agentSinceMs = event.nowMs;
    const [wasSpeaking, isSpeaking] = [userSpeaks(before), userSpeaks(next)];
    if (isSpeaking && !wasSpeaking) emit({ type: "user-started-speaking" });
    if (wasSpeaking && !isSpeaking) stoppedSpeaking(before.user, event.nowMs);
    wake?.[Symbol.dispose]();
    wake = wakeAtMs === undefined ? undefined : wakeIn(wakeAtMs - event.nowMs);
    for (const action of actions) perform(action, event);
    onDecided(event);
  };
  const take = (event: TurnEvent) => {
    inbox.push(event);
    if (!deciding) takeIn();
  };
  const takeIn = () => {
    deciding = true;
    try {
      for (let next = inbox.shift(); next; next = inbox.shift()) decide(next);
    } finally {
      deciding = false;
    }
    onSettled();
  };
  return {
    get state() {
      return state;
    },
    get agentSinceMs() {
      return agentSinceMs;
    },
    get deciding() {
      return deciding;
    },
    note: (event) => take({ ...event, nowMs: clock.now() }),
    hold() {
      deciding = held = true;
      return () => {
        held = false;
        takeIn();
      };
    },
    end() {
      wake?.[Symbol.dispose]();
      if (held || textOf(state.words) === "") return;
      const { state: next, actions } = commit(
        { ...state, prepared: undefined },
        true,
        charge.current.turnTaking,
      );
      state = next;
      for (const action of actions) perform(action, { type: "wake", nowMs: clock.now() });
    },
  };
}
