/** What happens in a session, and whether anything is still to be answered. */
import type { SessionEvent } from "../events.ts";
import type { VoiceSession } from "../voice_session.ts";

export interface Watched {
  /** What happened, in order. */
  readonly events: readonly SessionEvent[];
  /** Nothing is being said, thought or done, and no turn waits for its answer; or the session has ended. */
  readonly isAtRest: boolean;
  /** The last event was read. */
  readonly isOver: boolean;
  /** Settles then. */
  readonly done: Promise<void>;
}

/** Watches `session` from now on. `tell`: told of each event. */
export function watch(session: VoiceSession, tell: (event: SessionEvent) => void = () => {}): Watched {
  const events: SessionEvent[] = [];
  const owed = new Set<string>();
  let isOver = false;
  const read = async () => {
    for await (const event of session.events()) {
      events.push(event);
      if (event.type === "user-speech-committed") owed.add(event.turnId);
      if (event.type === "turn-ended") owed.delete(event.turnId);
      tell(event);
    }
    isOver = true;
  };
  return {
    events,
    get isOver() {
      return isOver;
    },
    get isAtRest() {
      return session.state === "closed" || (session.state === "listening" && owed.size === 0);
    },
    done: read(),
  };
}
