/** How a server ends: the signals that have it leave, and in which order it does. */
import { type Clock, wallTime } from "./clock.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { Webhooks } from "./dispatch/webhooks.ts";
import type { Worker } from "./dispatch/worker/worker.ts";
import type { Log } from "./log.ts";
import type { RecordingFiles } from "./recording/files.ts";
import type { SessionArchive } from "./telemetry/archive.ts";
import type { ReportWebhook } from "./telemetry/report_webhook.ts";

/** What is there to be ended. */
export interface Leaving {
  readonly dispatcher: Pick<Dispatcher, "drain" | "sessions">;
  /** How long calls may go on, milliseconds. */
  readonly waitMs: number;
  /** Aborts when they may not any longer. */
  readonly enough: AbortSignal;
  /** LiveKit is told at once that nothing is taken any more. */
  readonly worker: (Pick<Worker, "report"> & AsyncDisposable) | undefined;
  readonly webhooks: Webhooks | undefined;
  readonly archive: Pick<SessionArchive, "idle">;
  readonly reportWebhook: ReportWebhook | undefined;
  readonly recordings: RecordingFiles | undefined;
  readonly servers: readonly Deno.HttpServer[];
  /** What the sessions lean on to the last, ended in this order. */
  readonly others: readonly (AsyncDisposable | undefined)[];
  readonly clock: Clock;
  readonly log: Log;
}

/** How long the last lines of calls and their sessions' shutdown callbacks may take together. */
const farewellMs = 20_000;
/** How long the last reports may take to be taken. */
const lastReportsMs = 5_000;
/** How long the last lines of recordings may take to be written. */
const lastRecordingsMs = 2_000;
/** How long the last answers may take to leave. */
const lastAnswersMs = 500;
/** `deno task` passes on a Ctrl-C that the terminal has sent to this process too: so soon after, it is the same one. */
const sameSignalMs = 500;
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Leaves on the first SIGINT or SIGTERM, which `leave` is told of; what that is given aborts on the second, and the third
 * ends the process at once.
 */
export function onSignals(
  leave: (enough: AbortSignal) => void,
  { clock, log }: Pick<Leaving, "clock" | "log">,
): void {
  const enough = new AbortController();
  let lastMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      const isFirst = lastMs === undefined;
      if (clock.now() - (lastMs ?? -Infinity) <= sameSignalMs) return;
      lastMs = clock.now();
      if (enough.signal.aborted) Deno.exit(codes[signal]);
      log.info({ signal }, isFirst ? "shutting down" : "shutting down at once");
      if (isFirst) leave(enough.signal);
      else enough.abort();
    });
  }
}

/**
 * Lets calls come to their ends, and ends those that do not; posts what is left to post, answers what is left to answer, and
 * exits.
 */
export async function leave(leaving: Leaving): Promise<never> {
  const { dispatcher, worker, webhooks, archive, reportWebhook, recordings, clock, log } = leaving;
  const { waitMs, enough } = leaving;
  tellWait(dispatcher.sessions.length, waitMs, log);
  const drained = dispatcher.drain({ waitMs, enough, budgetMs: farewellMs });
  worker?.report();
  const left = await drained;
  if (left > 0) log.warn({ sessions: left }, "sessions that did not end are left behind");
  if (reportWebhook) {
    await Promise.race([archive.idle().then(reportWebhook.idle), clock.sleep(lastReportsMs)]);
    const lost = reportWebhook.waiting;
    if (lost > 0) log.error({ reports: lost }, "reports that were not taken in time are lost");
  }
  if (recordings) await Promise.race([recordings.idle(), clock.sleep(lastRecordingsMs)]);
  const closing = [webhooks, worker].map((one) => one?.[Symbol.asyncDispose]());
  const last = [...leaving.servers.map((server) => server.shutdown()), ...closing];
  await Promise.race([Promise.all(last), clock.sleep(lastAnswersMs)]);
  for (const other of leaving.others) await other?.[Symbol.asyncDispose]();
  Deno.exit(0);
}

/** For the log, and for the one at the terminal. */
function tellWait(calls: number, waitMs: number, log: Log): void {
  if (calls === 0 || waitMs === 0) return;
  const until = new Date(wallTime() + waitMs).toISOString();
  log.info({ calls, until }, "waiting for calls to end");
  const those = calls > 1 ? `${calls} calls` : "a call";
  console.error(`Waiting for ${those} to end, until ${until}; a second signal ends what is left.`);
}
