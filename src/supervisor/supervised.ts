/** A worker's side: what it tells its supervisor, what it asks there, and whose requests it answers. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import { httpStore } from "../dispatch/store/http.ts";
import type { Store } from "../dispatch/store/store.ts";
import type { SupervisorAddress } from "../environment.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { loopback } from "./loopback.ts";
import { passedOn, reportMs, type WorkerReport } from "./wire.ts";

type Handler = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Response | Promise<Response>;

export interface Supervised extends Disposable {
  /** What this machine's workers share. */
  readonly store: Store;
  /** `handler` for the supervisor's requests, as they came to it; others are refused. */
  guard(handler: Handler, metrics: Pick<Metrics, "json">): Handler;
  /** Reports from now on; `onLost` is called once when nobody has taken a report for 5 s. */
  report(read: () => WorkerReport, onLost: () => void): Disposable;
}

/** A supervisor that is silent for so long is gone, in milliseconds. */
const lostMs = 5_000;

/** Speaks with the supervisor at `address`. */
export function joinSupervisor(
  { port, token, worker }: SupervisorAddress,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Supervised {
  const supervisor = loopback(port);
  const ask = (path: string, body: string, { signal }: { readonly signal: AbortSignal }) =>
    supervisor.fetch(path, {
      method: "POST",
      headers: { [passedOn.token]: token, "content-type": "application/json" },
      body,
      signal,
    });

  const tell = async (report: WorkerReport): Promise<void> => {
    const late = new AbortController();
    using _ = clock.after(reportMs, () => late.abort());
    const response = await ask(`/report/${worker}`, JSON.stringify(report), late);
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the supervisor answered a report with ${response.status}`);
  };

  return {
    store: httpStore({ ask: (body, options) => ask(`/store/${worker}`, body, options), clock }),
    guard: (handler, metrics) => async (request, info) => {
      if (!isSame(request.headers.get(passedOn.token) ?? "", token)) {
        return new Response("Expected a request of the supervisor's.\n", { status: 403 });
      }
      if (request.headers.get(passedOn.wanted) === "metrics") return Response.json(await metrics.json());
      return await handler(asItCame(request), info);
    },
    report(read, onLost) {
      let takenAtMs = clock.now();
      let timer: Disposable;
      let over = false;
      const again = async () => {
        try {
          await tell(read());
          takenAtMs = clock.now();
        } catch (error) {
          log.debug({ error }, "a report was not taken");
        }
        if (over) return;
        if (clock.now() - takenAtMs >= lostMs) {
          log.error({}, "the supervisor is gone: this worker ends, too");
          return onLost();
        }
        timer = clock.after(reportMs, again);
      };
      timer = clock.after(0, again);
      return {
        [Symbol.dispose]() {
          over = true;
          timer[Symbol.dispose]();
        },
      };
    },
    [Symbol.dispose]: supervisor[Symbol.dispose],
  };
}

/** With the host that the client asked for, by which the page tells whose it is. */
function asItCame(request: Request): Request {
  const host = request.headers.get(passedOn.host);
  if (host === null) return request;
  const { pathname, search } = new URL(request.url);
  const { method, headers, body } = request;
  return new Request(new URL(`${pathname}${search}`, `http://${host}`), { method, headers, body });
}

/** Compares in a time that says nothing about where the two differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
