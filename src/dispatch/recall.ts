/**
 * A dispatch of LiveKit's whose session goes on in another process than was given its job: LiveKit tells nobody there when
 * it is deleted, so it is asked.
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { Rooms } from "./rooms.ts";

export interface RecallOptions {
  readonly dispatchId: string;
  readonly room: string;
  /** The room's SID, by which it is known that LiveKit is still the one that had the dispatch. */
  readonly roomSid: string;
  readonly session: Pick<VoiceSession, "close" | "done">;
  readonly rooms: Pick<Rooms, "dispatches" | "find">;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is asked, in milliseconds. */
const lookMs = 2_000;

/** Ends the session, with reason "deleted", when the dispatch is gone that was there: as it is told twice in a row. */
export function endWithDispatch(
  { dispatchId, room: name, roomSid, session, rooms, clock, log }: RecallOptions,
): void {
  const over = new AbortController();
  void session.done.then(() => over.abort());
  const isListed = async () => (await rooms.dispatches(name)).some(({ id }) => id === dispatchId);

  const watch = async (): Promise<void> => {
    let wasThere = false;
    let missing = false;
    while (true) {
      await clock.sleep(lookMs, { signal: over.signal });
      try {
        const wasMissing = missing;
        missing = !await isListed();
        wasThere ||= !missing;
        if (!wasThere || !missing || !wasMissing) continue;
        // A LiveKit that was started anew knows no dispatch of before; calls go on.
        if ((await rooms.find(name))?.sid === roomSid) await session.close("deleted");
        return;
      } catch (error) {
        log.debug({ error }, "it is not known whether a session's dispatch was deleted");
      }
    }
  };
  watch().catch(() => {}); // the session is over
}
