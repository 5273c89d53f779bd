/** Keeps a session's snapshot up to date, off the path of what the user hears. */
import type { Clock } from "../clock.ts";
import type { SessionEvent } from "../events.ts";
import type { Log } from "../log.ts";
import type { SessionSnapshot } from "./snapshot.ts";

/** What has happened is written so much later: what it happened for goes first; milliseconds. */
const delayMs = 20;
/** While the agent speaks it is written how far it is, so often. */
const speakingMs = 1_000;
/** A tool that waits for its call to be written down begins after so long all the same. */
const patienceMs = 500;

/** What changes a snapshot. */
const changes: ReadonlySet<SessionEvent["type"]> = new Set([
  "user-speech-committed",
  "turn-ended",
  "tools-called",
  "tools-finished",
  "agent-started-speaking",
  "agent-speech-committed",
  "handoff",
  "user-left",
]);

export interface KeeperOptions {
  /** The session as it stands; undefined before there is anything to keep. */
  readonly take: () => SessionSnapshot | undefined;
  /** Writes it. */
  readonly keep: (snapshot: SessionSnapshot) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Keeper {
  /** Something has happened. */
  note(event: Pick<SessionEvent, "type">): void;
  /** It is to be written how things stand, soon. */
  changed(): void;
  /** Settles when what holds now is written, or that takes too long. */
  written(): Promise<void>;
  /** Writes nothing any more; settles when what is being written is. */
  close(): Promise<void>;
}

/** One write at a time, each of what holds when it begins: the last is the newest. Failures are logged. */
export function createKeeper({ take, keep, clock, log }: KeeperOptions): Keeper {
  let timer: Disposable | undefined;
  let beat: Disposable | undefined;
  let writing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let closed = false;

  const write = async (): Promise<void> => {
    const snapshot = take();
    if (closed || !snapshot) return;
    try {
      await keep(snapshot);
    } catch (error) {
      log.warn({ error }, "the session could not be written down; a fault now would lose what is new in it");
    }
  };
  /** Writes what holds from now on, behind what is being written. */
  const flush = (): Promise<void> => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    const begin = () => writing = write().finally(() => writing = undefined);
    if (!writing) return begin();
    return next ??= writing.then(() => {
      next = undefined;
      return begin();
    });
  };
  const changed = () => {
    if (!closed) timer ??= clock.after(delayMs, () => void flush());
  };
  const follow = () => {
    beat?.[Symbol.dispose]();
    beat = clock.after(speakingMs, () => {
      changed();
      follow();
    });
  };
  return {
    changed,
    note({ type }) {
      if (closed || !changes.has(type)) return;
      changed();
      if (type === "agent-started-speaking") follow();
      if (type === "agent-speech-committed") beat?.[Symbol.dispose]();
    },
    async written() {
      if (closed) return;
      const late = Promise.withResolvers<void>();
      using _ = clock.after(patienceMs, late.resolve);
      await Promise.race([flush(), late.promise]);
    },
    async close() {
      closed = true;
      timer?.[Symbol.dispose]();
      beat?.[Symbol.dispose]();
      await next;
      await writing;
    },
  };
}
