/** How a server ends: the signals that have it leave, and in which order it does. */
import type { Clock } from "./clock.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { Webhooks } from "./dispatch/webhooks.ts";
import type { Worker } from "./dispatch/worker/worker.ts";
import type { Log } from "./log.ts";
import type { RecordingFiles } from "./recording/files.ts";
import type { SessionArchive } from "./telemetry/archive.ts";
import type { ReportWebhook } from "./telemetry/report_webhook.ts";

/** What is there to be ended. */
export interface Leaving {
  readonly dispatcher: Pick<Dispatcher, "drain">;
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

/** How long the sessions' shutdown callbacks may take together. */
const farewellMs = 10_000;
/** How long the last reports may take to be taken. */
const lastReportsMs = 5_000;
/** How long the last lines of recordings may take to be written. */
const lastRecordingsMs = 2_000;
/** How long the last answers may take to leave. */
const lastAnswersMs = 500;
/** `deno task` passes on a Ctrl-C that the terminal has sent to this process too: so soon after, it is the same one. */
const sameSignalMs = 500;
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Leaves on the first SIGINT or SIGTERM, which `leave` is told of; the next ends the process at once. */
export function onSignals(leave: () => void, { clock, log }: Pick<Leaving, "clock" | "log">): void {
  let leavingSinceMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (leavingSinceMs !== undefined) {
        if (clock.now() - leavingSinceMs > sameSignalMs) Deno.exit(codes[signal]);
        return;
      }
      leavingSinceMs = clock.now();
      log.info({ signal }, "shutting down");
      leave();
    });
  }
}

/** Ends every session, posts what is left to post, answers what is left to answer, and exits. */
export async function leave(leaving: Leaving): Promise<never> {
  const { dispatcher, worker, webhooks, archive, reportWebhook, recordings, clock, log } = leaving;
  const drained = dispatcher.drain({ budgetMs: farewellMs });
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
