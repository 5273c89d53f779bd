/** Sessions that do nothing but begin and end, for tests of what starts them. */
import { type LiveStream, liveStream } from "../../src/audio/live.ts";
import type { CloseReason, SessionEvent } from "../../src/events.ts";
import type { HistoryItem } from "../../src/history.ts";
import type { SessionRequest } from "../../src/dispatch/dispatcher.ts";
import type { Room } from "../../src/room/room.ts";
import type { RunningSession } from "../../src/session.ts";
import type { SayOptions, SpeechHandle, VoiceSession } from "../../src/voice_session.ts";

export interface FakeSession extends RunningSession {
  readonly request: SessionRequest;
  /**
   * Lets the agent arrive in the room. `room`: the room that it finds itself in; its `closed` ends the session, and an
   * SID that is not the one it was sent to fails the join.
   */
  arrive(room?: FakeRoom): void;
  /** Lets the join fail. */
  refuse(error: unknown): void;
  /** Lets that happen in the session; whoever reads its events by then is told. */
  emit(event: SessionEvent): void;
  /** What was said in it, for a test to fill. */
  readonly history: HistoryItem[];
  /** What the agent was told to say. */
  readonly said: ({ readonly text: string } & SayOptions)[];
  /** How often the agent was cut off. */
  readonly interrupts: number;
  /** What was done with the user's key to talk. */
  readonly keys: ("start" | "commit" | "clear")[];
  /** Ends the session, as a participant who leaves does. */
  end(reason: CloseReason): void;
  /** The reason of each call to `close()`. */
  readonly closes: CloseReason[];
}

/** As much of a joined room as the dispatcher looks at. */
export interface FakeRoom extends Pick<Room, "id"> {
  /** The agent's own identity (default: as the server gives it). */
  readonly identity?: string;
  /** With whom it talks; may change. */
  participant?: string;
  /** Who else was there when it ended. */
  witnesses?: ReadonlySet<string>;
  /** Whether the agent sees no other of its name (default: it does not). */
  isAlone?: boolean;
  /** To end it with a RoomEnd as the reason. */
  readonly closed?: AbortController;
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
    const readers = new Set<LiveStream<SessionEvent>>();
    const history: HistoryItem[] = [];
    const said: FakeSession["said"] = [];
    let state: VoiceSession["state"] = "initializing";
    let interrupts = 0;
    const emit = (event: SessionEvent) => {
      for (const reader of readers) reader.push(event);
    };
    const end = (reason: CloseReason) => {
      if (state === "closed") return;
      state = "closed";
      emit({ type: "closed", reason, atMs: 0 });
      for (const reader of readers) reader.close();
      done.resolve(reason);
    };
    const keys: FakeSession["keys"] = [];
    const session: VoiceSession = {
      id: request.id,
      get state() {
        return state;
      },
      history,
      updateHistory: () => {},
      say(text, options) {
        said.push({ text: String(text), ...options });
        return fakeSpeech(`say-${said.length}`);
      },
      generateReply: () => fakeSpeech("reply"),
      run: () => Promise.reject(new Error("not here")),
      interrupt: () => void interrupts++,
      expect: () => {},
      startUserTurn: () => void keys.push("start"),
      commitUserTurn: () => void keys.push("commit"),
      clearUserTurn: () => void keys.push("clear"),
      performRpc: () => Promise.reject(new Error("there is no client")),
      look: () => Promise.resolve(undefined),
      events() {
        const reader = liveStream<SessionEvent>({ limit: 1_000, onCancel: () => readers.delete(reader) });
        if (state === "closed") reader.close();
        else readers.add(reader);
        return reader.readable;
      },
      async close(reason = "closed") {
        closes.push(reason);
        await closing();
        end(reason);
      },
      done: done.promise,
    };
    const fake: FakeSession = {
      request,
      session,
      joined: joined.promise,
      dismiss: () => session.close("shutdown"),
      departure: () => undefined,
      arrive(given) {
        try {
          if (given) request.onRoom?.(roomFrom(given, request.id));
        } catch (error) {
          return joined.reject(error);
        }
        if (state === "initializing") state = "listening";
        joined.resolve();
      },
      refuse: (error) => joined.reject(error),
      emit,
      history,
      said,
      keys,
      get interrupts() {
        return interrupts;
      },
      end,
      closes,
    };
    started.push(fake);
    return fake;
  };
  return { started, start };
}

/** Something that was said, and of which nothing was heard. */
export function fakeSpeech(replyId: string): SpeechHandle {
  const done = Promise.resolve({ text: "", interrupted: false });
  return { replyId, done, interrupt() {}, then: (...given) => done.then(...given) };
}

function roomFrom(given: FakeRoom, sessionId: string): Room {
  const { id, identity = `agent-${sessionId}`, closed = new AbortController() } = given;
  const seen: Pick<Room, "id" | "identity" | "participant" | "witnesses" | "isAlone" | "closed"> = {
    id,
    identity,
    get isAlone() {
      return given.isAlone ?? true;
    },
    get participant() {
      return given.participant === undefined
        ? undefined
        : { identity: given.participant, name: "", metadata: "", attributes: {} };
    },
    get witnesses() {
      return given.witnesses ?? new Set<string>();
    },
    closed: closed.signal,
  };
  return seen as Room; // a fake: the rest is the session's, and no session is here
}
