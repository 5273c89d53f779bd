import type { Clock } from "./clock.ts";
import { initialPresence, presence, type PresenceAction, type PresenceOptions } from "./turn/presence.ts";

/** Watches whether anybody is still talking. */
export interface Attendance extends Disposable {
  /** Takes in how things stand: see PresenceEvent. */
  note(event: { readonly quiet: boolean; readonly returned: boolean }): void;
  /** Whether the call is being ended. */
  readonly isLeaving: boolean;
}

/** Attendance from now on, whose decisions are told to `perform`, one by one. */
export function createAttendance(
  { clock, options, perform }: {
    readonly clock: Clock;
    readonly options: PresenceOptions;
    readonly perform: (action: PresenceAction) => void;
  },
): Attendance {
  let state = initialPresence;
  let quiet = false;
  let wake: Disposable | undefined;
  const note = (event: { readonly quiet: boolean; readonly returned: boolean }) => {
    quiet = event.quiet;
    const result = presence(state, { ...event, nowMs: clock.now() }, options);
    state = result.state;
    wake?.[Symbol.dispose]();
    wake = result.wakeAtMs === undefined
      ? undefined
      : clock.after(result.wakeAtMs - clock.now(), () => note({ quiet, returned: false }));
    for (const action of result.actions) perform(action);
  };
  note({ quiet: true, returned: false });
  return {
    note,
    get isLeaving() {
      return state.is === "leaving";
    },
    [Symbol.dispose]: () => wake?.[Symbol.dispose](),
  };
}
