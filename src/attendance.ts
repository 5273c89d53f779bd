/** Whether anybody is still talking: what is said and done when nobody is, and when a call has lasted long enough. */
import type { Agent } from "./agent.ts";
import type { Clock } from "./clock.ts";
import type { SessionEventBody } from "./events.ts";
import {
  type EndReason,
  initialPresence,
  isEnding,
  presence,
  type PresenceAction,
  type PresenceState,
} from "./turn/presence.ts";
import type { VoiceSession } from "./voice_session.ts";

const defaultAway = { afterMs: 15_000, closeAfterMs: 120_000 };
/** The longest that a timer of the platform can wait. */
const longestTimerMs = 2 ** 31 - 1;
/** The last line may take this long. */
const lastLineMs = 10_000;
const lastLines: Readonly<Record<EndReason, string>> = {
  "user-away": "It seems that nobody is there any more. Goodbye.",
  "max-duration": "We have reached the end of the time for this call. Goodbye.",
  "cost-cap": "I have to end this call here. Thank you for calling. Goodbye.",
  "shutdown": "I am sorry, I have to end this call now. Please call again in a moment. Goodbye.",
};

export interface AttendanceOptions {
  readonly agent: Pick<Agent, "away" | "lastLines">;
  /** How it was when it was watched last, in another process (default: somebody is there). */
  readonly before?: PresenceState | undefined;
  readonly clock: Clock;
  /** How long the call may last from now on; as long as it likes when left out. */
  readonly maxCallMs?: number | undefined;
  /** Aborts when the call has cost as much as it may. */
  readonly spent: AbortSignal;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  readonly say: VoiceSession["say"];
  /** Ends the call. */
  readonly hangUp: (reason: EndReason) => void;
}

export interface Attendance {
  readonly state: PresenceState;
  /** Takes in how things stand: see PresenceEvent. */
  note(event: { readonly quiet: boolean; readonly returned: boolean }): void;
  /** Ends the call after the last line that there is for that reason; settles when that was said. */
  end(reason: EndReason): Promise<void>;
}

/** Begins to watch; until something is noted, nobody speaks. */
export function createAttendance(
  { agent: { away, lastLines: own }, before, clock, maxCallMs = Infinity, spent, signal, emit, say, hangUp }:
    AttendanceOptions,
): Attendance {
  const prompts = away?.prompts ?? [];
  const { afterMs, closeAfterMs } = { ...defaultAway, ...away };
  const options = { afterMs, closeAfterMs, prompts: prompts.length, endsAtMs: clock.now() + maxCallMs };
  // Who was leaving has yet to: they are asked for again.
  let state: PresenceState = before && before.is !== "leaving" ? before : initialPresence;
  let quiet = true;
  let wake: Disposable | undefined;
  let left: Promise<void> | undefined;

  const note = (event: { readonly quiet: boolean; readonly returned: boolean }) => {
    if (signal.aborted) return;
    quiet = event.quiet;
    const result = presence(state, { ...event, nowMs: clock.now() }, { ...options, isSpent: spent.aborted });
    state = result.state;
    wake?.[Symbol.dispose]();
    wake = result.wakeAtMs === undefined
      ? undefined
      : clock.after(Math.min(result.wakeAtMs - clock.now(), longestTimerMs), () =>
        note({ quiet, returned: false }));
    for (const action of result.actions) perform(action);
  };
  const perform = (action: PresenceAction): void => {
    switch (action.type) {
      case "report-user-away":
        return emit({ type: "user-away", silentMs: action.silentMs });
      case "report-user-returned":
        return emit({ type: "user-returned", awayMs: action.awayMs });
      case "prompt-user":
        return void say(prompts[action.index] ?? "");
      case "end-call":
        left = leave(action.reason);
        return;
    }
  };
  /** Ends the call after a last line; whom that calls back goes on with it. */
  const leave = async (reason: EndReason) => {
    const line = own?.[reason] ?? lastLines[reason];
    const { done } = say(line, { priority: "immediate", interruptible: reason === "user-away" });
    const late = Promise.withResolvers<void>();
    using _ = clock.after(lastLineMs, late.resolve);
    await Promise.race([done, late.promise]);
    if (state.is === "leaving") hangUp(reason);
  };

  signal.addEventListener("abort", () => wake?.[Symbol.dispose](), { once: true });
  spent.addEventListener("abort", () => note({ quiet, returned: false }), { once: true, signal });
  note({ quiet, returned: false });
  return {
    get state() {
      return state;
    },
    note,
    async end(reason) {
      if (!isEnding(state)) {
        state = { is: "leaving", reason, awaySinceMs: clock.now() };
        left = leave(reason);
      }
      await left;
    },
  };
}
