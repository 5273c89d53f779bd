/** The sessions there are, and for a while those that were: their reports and their events. */
import { type Clock, wallTime } from "../clock.ts";
import type { CloseReason } from "../events.ts";
import { saidIn } from "../history.ts";
import type { Log } from "../log.ts";
import type { VoiceSession } from "../voice_session.ts";
import { createEventLog, type LoggedEvent } from "./event_log.ts";
import type { SessionFacts } from "./facts.ts";
import { outward } from "./outward.ts";
import type { ReportSums, SessionReport } from "./report.ts";
import { createReporter } from "./reporter.ts";
import { type Gap, gapFinder } from "./why.ts";

export interface SessionRecord {
  readonly facts: SessionFacts;
  /** The session, while it goes on; once it has ended nothing of it is kept but this record. */
  readonly session: VoiceSession | undefined;
  /** Whether it has ended, and its report is final. */
  readonly ended: boolean;
  /** How it goes, or went. */
  report(): SessionReport;
  /** What of that is summed up from its events. */
  sums(): ReportSums;
  /** Its long silences so far and what they were spent on, in order; the latest 200. */
  gaps(): readonly Gap[];
  /**
   * Its events after `afterId` (default: all that are kept), then those to come, to its end. Ids count from 1; where
   * they leap, older events were no longer kept. Errors in it hold no secret.
   */
  events(afterId?: number): ReadableStream<LoggedEvent>;
  /** The id of its last event. */
  readonly lastEventId: number;
}

/** Whether the session has ended here, and goes on, or has ended, in another process. */
export const wentOn = ({ ended, report }: Pick<SessionRecord, "ended" | "report">): boolean =>
  ended && report().closeReason === "claim-lost";

export interface SessionArchive extends Disposable {
  /** Keeps the record of `session` from now on. Never throws. */
  follow(session: VoiceSession, facts: SessionFacts): void;
  /** The sessions there are and those that are kept, of `room` or of all rooms, in the order in which they began. */
  list(room?: string): SessionRecord[];
  find(sessionId: string): SessionRecord | undefined;
  /** Settles when every session has ended and `onEnd` was told. */
  idle(): Promise<void>;
}

export interface ArchiveOptions {
  /** How long a record is kept after the session's end. */
  readonly ttlMs: number;
  /** Ended sessions that are kept; the one that ended first is forgotten first (default 200). */
  readonly maxEnded?: number;
  /** Events of a session that are kept (default 1,000). */
  readonly maxEvents?: number;
  /** What no report and no event may hold, such as keys. */
  readonly secrets?: readonly string[];
  /** Told of every session that has ended, and does not go on elsewhere. */
  readonly onEnd?: (report: SessionReport) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const maxGaps = 200;
/** The longest that a timer of the platform can wait. */
const longestTimerMs = 2 ** 31 - 1;

export function createArchive(options: ArchiveOptions): SessionArchive {
  const { ttlMs, maxEnded = 200, maxEvents = 1_000, secrets = [], onEnd, clock, log } = options;
  const records = new Map<string, SessionRecord>();
  /** Those that have ended, in that order, and until when they are kept. */
  const ended: { readonly sessionId: string; readonly untilMs: number }[] = [];
  const following = new Set<Promise<void>>();
  let timer: Disposable | undefined;

  /** Forgets what is too old or too much, and wakes up for the next. */
  const forget = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    for (let oldest = ended[0]; oldest; oldest = ended[0]) {
      const leftMs = oldest.untilMs - clock.now();
      if (leftMs > 0 && ended.length <= maxEnded) {
        timer = clock.after(Math.min(leftMs, longestTimerMs), forget);
        return;
      }
      ended.shift();
      records.delete(oldest.sessionId);
    }
  };

  const follow = async (session: VoiceSession, facts: SessionFacts) => {
    const { record, note, end } = createRecord(session, facts, { clock, maxEvents });
    records.set(facts.sessionId, record);
    try {
      for await (const event of session.events()) note(outward(event, secrets));
    } catch (error) {
      log.error({ error, sessionId: facts.sessionId }, "a session's record is not whole");
    }
    const reason = await session.done;
    end(reason);
    ended.push({ sessionId: facts.sessionId, untilMs: clock.now() + ttlMs });
    forget();
    if (reason !== "handed-over") onEnd?.(record.report()); // else it goes on elsewhere, and its report with it
  };

  return {
    follow(session, facts) {
      const followed = follow(session, facts)
        .catch((error) => log.error({ error, sessionId: facts.sessionId }, "a session's report was not told"))
        .finally(() => following.delete(followed));
      following.add(followed);
    },
    list: (room) => [...records.values()].filter(({ facts }) => room === undefined || facts.room === room),
    find: (sessionId) => records.get(sessionId),
    async idle() {
      while (following.size > 0) await Promise.all(following);
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  };
}

/** A record, and what fills it. */
function createRecord(
  followed: VoiceSession,
  facts: SessionFacts,
  { clock, maxEvents }: { readonly clock: Clock; readonly maxEvents: number },
) {
  const { sessionId, room, roomSid, agent, before: { elapsedMs, sums } = { elapsedMs: 0 } } = facts;
  const began = { ms: clock.now() - elapsedMs, at: wallTime() - elapsedMs };
  const kept = createEventLog({ limit: maxEvents });
  const reporter = createReporter(sums);
  const findGap = gapFinder();
  let gaps: readonly Gap[] = [];
  let session: VoiceSession | undefined = followed;
  /** What was said, once the session has ended. */
  let said: SessionReport["transcript"] = [];
  const transcript = () => session ? saidIn(session.history).map((item) => ({ ...item })) : said;
  let participant = facts.participant;
  let end: { readonly reason: CloseReason; readonly ms: number; readonly at: number } | undefined;

  const record: SessionRecord = {
    facts,
    get session() {
      return session;
    },
    get ended() {
      return end !== undefined;
    },
    report: () => ({
      sessionId,
      room,
      roomSid,
      agent,
      ...(participant !== undefined && { participant }),
      state: session?.state ?? "closed",
      ...(end && { closeReason: end.reason }),
      startedAt: new Date(began.at).toISOString(),
      ...(end && { endedAt: new Date(end.at).toISOString() }),
      durationMs: (end?.ms ?? clock.now()) - began.ms,
      transcript: transcript(),
      ...reporter.sums(),
      droppedEvents: kept.dropped,
    }),
    sums: reporter.sums,
    gaps: () => gaps,
    events: (afterId) => kept.read(afterId),
    get lastEventId() {
      return kept.lastId;
    },
  };
  return {
    record,
    note(event: Parameters<typeof reporter.note>[0]) {
      participant = session?.participant?.identity ?? participant;
      reporter.note(event);
      const gap = findGap(event);
      if (gap) gaps = [...gaps, gap].slice(-maxGaps);
      kept.append(event);
    },
    end(reason: CloseReason) {
      end = { reason, ms: clock.now(), at: wallTime() };
      said = transcript();
      session = undefined;
      kept.close();
    },
  };
}
