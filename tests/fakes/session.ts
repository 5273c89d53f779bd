/** Sessions that do nothing but begin and end, for tests of what starts them. */
import type { VoiceSession } from "../../src/agent.ts";
import { liveStream } from "../../src/audio/live.ts";
import type { CloseReason, SessionEvent } from "../../src/events.ts";
import type { SessionRequest } from "../../src/dispatch/dispatcher.ts";
import type { RunningSession } from "../../src/session.ts";

export interface FakeSession extends RunningSession {
  readonly request: SessionRequest;
  /** Lets the agent arrive in the room. */
  arrive(): void;
  /** Lets the join fail. */
  refuse(error: unknown): void;
  /** Lets that happen in the session; one reader of its events is told. */
  emit(event: SessionEvent): void;
  /** How often the agent was cut off. */
  readonly interrupts: number;
  /** Ends the session, as a participant who leaves does. */
  end(reason: CloseReason): void;
  /** The reason of each call to `close()`. */
  readonly closes: CloseReason[];
}

/**
 * A `start` for the dispatcher that keeps what it started. `closing`: what a session's close() waits for (default:
 * nothing).
 */
export function fakeSessions(closing: () => Promise<void> = () => Promise.resolve()): {
  readonly started: FakeSession[];
  readonly start: (request: SessionRequest) => RunningSession;
} {
  const started: FakeSession[] = [];
  const start = (request: SessionRequest): RunningSession => {
    const joined = Promise.withResolvers<void>();
    const done = Promise.withResolvers<CloseReason>();
    const closes: CloseReason[] = [];
    const happenings = liveStream<SessionEvent>({ limit: 1_000 });
    void done.promise.then(() => happenings.close());
    let interrupts = 0;
    const session: VoiceSession = {
      id: request.id,
      state: "listening",
      history: [],
      say: () => ({ replyId: "reply", done: Promise.resolve({ text: "", interrupted: false }) }),
      interrupt: () => void interrupts++,
      events: () => happenings.readable,
      async close(reason = "closed") {
        closes.push(reason);
        await closing();
        done.resolve(reason);
      },
      done: done.promise,
    };
    const fake: FakeSession = {
      request,
      session,
      joined: joined.promise,
      arrive: () => joined.resolve(),
      refuse: (error) => joined.reject(error),
      emit: (event) => happenings.push(event),
      get interrupts() {
        return interrupts;
      },
      end: (reason) => done.resolve(reason),
      closes,
    };
    started.push(fake);
    return fake;
  };
  return { started, start };
}
