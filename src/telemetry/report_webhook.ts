/** Posts the reports of ended sessions, signed after Standard Webhooks: https://www.standardwebhooks.com */
import { Webhook } from "standardwebhooks";
import { type Clock, wallTime } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { withoutSecrets } from "./outward.ts";
import type { SessionReport } from "./report.ts";

/** What is posted: the report as the `data` of an event of type `session.ended`. */
export interface ReportMessage {
  readonly type: "session.ended";
  /** When the session ended, ISO 8601. */
  readonly timestamp: string;
  readonly data: SessionReport;
}

export interface ReportWebhook {
  /** Sends `report` on its way. Never throws. */
  post(report: SessionReport): void;
  /** Settles when every report has arrived, or was given up. */
  idle(): Promise<void>;
  /** How many reports are under way, or wait to be. */
  readonly waiting: number;
}

/** What became of a report; "failed": of a try, after which it is tried again. */
export type PostOutcome = "arrived" | "failed" | "given-up";

export interface ReportWebhookOptions {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
  /** Reports that wait while others are under way; the oldest is given up for a newer one (default 100). */
  readonly maxWaiting?: number;
  /** Told how each try went, and of each report that nobody takes. */
  readonly onPost?: (outcome: PostOutcome) => void;
  readonly fetch?: typeof globalThis.fetch;
  /** 0–1, for the jitter. */
  readonly random?: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reports under way at a time. */
const atOnce = 4;
const tries = 8;
/** How long one try may take. */
const tryMs = 10_000;
/** The wait after a failed try: doubled each time, and half of it by chance. What the receiver asks for comes first. */
const backoffMs = { first: 1_000, most: 60_000, mostAskedFor: 300_000 };

/** How one try went. */
type Outcome =
  | { readonly type: "arrived" }
  | { readonly type: "refused"; readonly why: string }
  /** It may go better in `askedMs`, if the receiver said so. */
  | { readonly type: "failed"; readonly why: string; readonly askedMs: number };

interface Parcel {
  readonly sessionId: string;
  readonly body: string;
}

/**
 * Reports go to `url` by POST. A try that does not get through, or is answered with 5xx or 429, is made again, up to 8
 * times in about two minutes, under the same `webhook-id`; any other answer but 2xx is final. Redirects are not followed.
 */
export function createReportWebhook(options: ReportWebhookOptions): ReportWebhook {
  const { secret, maxWaiting = 100, onPost, fetch = globalThis.fetch, random = Math.random, clock, log } =
    options;
  const signer = new Webhook(secret);
  const { href: url, host: receiver } = new URL(options.url); // as the platform's words have it
  const line: Parcel[] = [];
  const underWay = new Set<Promise<void>>();

  const send = async ({ sessionId, body }: Parcel): Promise<Outcome> => {
    const id = `report_${sessionId}`;
    const at = new Date(wallTime());
    const headers = {
      "content-type": "application/json",
      "user-agent": "Repartee",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": signer.sign(id, at, body),
    };
    const late = new AbortController();
    using _timer = clock.after(tryMs, () => late.abort(new Error(`no answer within ${tryMs / 1000} s`)));
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers,
        body,
        redirect: "manual",
        signal: late.signal,
      });
      await answer.body?.cancel();
      return outcomeOf(answer);
    } catch (error) {
      // The platform's words name the whole address, which may hold a key.
      const why = withoutSecrets(messageOf(error).replaceAll(url, receiver), [secret]);
      return { type: "failed", why, askedMs: 0 };
    }
  };

  const deliver = async (parcel: Parcel): Promise<void> => {
    const about = { sessionId: parcel.sessionId, receiver };
    for (let attempt = 1;; attempt++) {
      const outcome = await send(parcel);
      if (outcome.type === "arrived") {
        onPost?.("arrived");
        return log.info({ ...about, attempt }, "report posted");
      }
      const { why } = outcome;
      if (outcome.type === "refused" || attempt === tries) {
        onPost?.("given-up");
        return log.error({ ...about, attempt, why }, "report given up: the receiver did not take it");
      }
      onPost?.("failed");
      log.warn({ ...about, attempt, why }, "report not posted; it is tried again");
      const delayMs = Math.min(backoffMs.first * 2 ** (attempt - 1), backoffMs.most) * (1 - random() / 2);
      await clock.sleep(Math.max(delayMs, Math.min(outcome.askedMs, backoffMs.mostAskedFor)));
    }
  };

  const next = () => {
    while (underWay.size < atOnce) {
      const parcel = line.shift();
      if (!parcel) return;
      const delivered = deliver(parcel)
        .catch((error) => log.error({ error, sessionId: parcel.sessionId }, "report given up"))
        .finally(() => {
          underWay.delete(delivered);
          next();
        });
      underWay.add(delivered);
    }
  };

  return {
    post(report) {
      const { sessionId, endedAt: timestamp = new Date(wallTime()).toISOString() } = report;
      const message: ReportMessage = { type: "session.ended", timestamp, data: report };
      line.push({ sessionId, body: JSON.stringify(message) });
      next();
      if (line.length <= maxWaiting) return;
      const lost = line.shift();
      onPost?.("given-up");
      log.error({ sessionId: lost?.sessionId, receiver }, "report given up: too many wait for the receiver");
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    get waiting() {
      return underWay.size + line.length;
    },
  };
}

function outcomeOf({ status, ok, headers }: Response): Outcome {
  if (ok) return { type: "arrived" };
  const why = `answered ${status}; expected 2xx`;
  if (status < 500 && status !== 429) return { type: "refused", why };
  return { type: "failed", why, askedMs: retryAfterMs(headers.get("retry-after")) };
}

/** What `Retry-After` asks for, in seconds or as a date; 0 when it asks for nothing. */
function retryAfterMs(value: string | null): number {
  if (!value) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - wallTime();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
