/** A session's events, for any number of readers. */
import { type LiveStream, liveStream } from "./audio/live.ts";
import type { Clock } from "./clock.ts";
import type { SessionEvent, SessionEventBody } from "./events.ts";
import type { Log } from "./log.ts";

/** How many events a reader may fall behind before it loses the oldest. */
const eventsKept = 1_000;

export interface Broadcast {
  /** Stamps the event with its time and hands it to every reader and to the log (words only at debug). */
  emit(event: SessionEventBody): void;
  /** What is emitted from now on; nothing once the broadcast is over. */
  events(): ReadableStream<SessionEvent>;
  /** Ends every reader's stream after what it has not read yet. */
  close(): void;
}

export interface BroadcastOptions {
  /** Told of each event before its readers are. */
  readonly onEvent?: (event: SessionEvent) => void;
  /** Milliseconds that the session has taken before (default: none). */
  readonly elapsedMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A broadcast whose time begins now, or goes on. */
export function createBroadcast({ onEvent, elapsedMs = 0, clock, log }: BroadcastOptions): Broadcast {
  const beganMs = clock.now() - elapsedMs;
  const readers = new Set<LiveStream<SessionEvent>>();
  let over = false;
  return {
    emit(event) {
      const { type } = event;
      const words = type === "user-transcript" || type === "tool-progress" || type.endsWith("-committed");
      if (words) log.debug({ event }, type);
      else if (type !== "error") log.info({ event }, type); // an error has its own line
      const stamped = { ...event, atMs: clock.now() - beganMs };
      onEvent?.(stamped);
      for (const reader of readers) reader.push(stamped);
    },
    events() {
      const reader = liveStream<SessionEvent>({ limit: eventsKept, onCancel: () => readers.delete(reader) });
      if (over) reader.close();
      else readers.add(reader);
      return reader.readable;
    },
    close() {
      over = true;
      for (const reader of readers) reader.close();
      readers.clear();
    },
  };
}
