/** What a session that goes on in another process is asked for in the one that it leaves. */
import type { Call } from "../call.ts";
import type { Room } from "../room/room.ts";
import type { Succession } from "../succession.ts";
import { isMoment } from "./moment.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import { problemOfJson } from "./take.ts";

export interface Departure {
  readonly room: Pick<Room, "identity" | "publishOnBehalf">;
  /** What of the session would be lost, in words; undefined when nothing is. */
  readonly obstacle: string | undefined;
  /** Whether nobody would notice if it went on elsewhere now. */
  readonly isMoment: boolean;
  /** Takes in and says nothing from now on, until what this returns is called. */
  hold(): () => void;
  /** How it stands. */
  take(): SessionSnapshot;
}

/** Undefined while there is nothing to go on with. */
export function departureOf(
  call: Call | undefined,
  { userdata, succession, take }: {
    readonly userdata: unknown;
    readonly succession: Pick<Succession, "busy">;
    readonly take: (call: Call) => SessionSnapshot;
  },
): Departure | undefined {
  if (call?.talkingSinceMs === undefined) return undefined;
  return {
    room: call.room,
    obstacle: problemOfJson(userdata, "userdata"),
    get isMoment() {
      return !succession.busy && isMoment(call.conversation.standing);
    },
    hold: () => call.conversation.hold(),
    take: () => take(call),
  };
}
