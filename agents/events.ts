import {
  type Agent,
  createLog,
  defineAgent,
  type Log,
  type SessionEvent,
  type StageError,
} from "../src/mod.ts";

export interface EventsOptions {
  /** Where every event of a session is written, what was said included. */
  readonly log: Log;
  /** Tells a monitor of a failure. */
  readonly report: (error: StageError) => void | Promise<void>;
}

/** An agent that logs every event of its sessions, and reports every failure. */
export function eventsAgent({ log, report }: EventsOptions): Agent {
  return defineAgent({
    instructions: "You are a helpful assistant. Be concise and friendly.",
    entry({ session }) {
      const sessionLog = log.child({ sessionId: session.id });
      const write = ({ type, ...event }: SessionEvent) => sessionLog.info(event, type);
      // Not awaited: the last event is the session's end, which waits for this function.
      void session.events().pipeTo(new WritableStream({ write }));
    },
    onError: report,
  });
}

/** A `report` for a monitor that takes JSON at `url`. A failure to reach it is logged by the session. */
export function reportTo(url: string): EventsOptions["report"] {
  return async ({ stage, message, retryable }) => {
    const body = JSON.stringify({ stage, message, retryable });
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the monitor at ${url} answered ${response.status}`);
  };
}

const log = createLog("info");

/** Reports to its log until it is given a monitor: `report: reportTo("https://monitor.example.com/errors")`. */
export default eventsAgent({ log, report: (error) => log.error({ error }, "reported") });
