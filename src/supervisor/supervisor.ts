/** The supervisor: it starts the workers, has what they share, and passes on what clients ask. */
import { systemClock as clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { watchIdle } from "../dispatch/idle.ts";
import { openStore } from "../dispatch/sharing.ts";
import { memoryStore } from "../dispatch/store/memory.ts";
import { usableBytes } from "../dispatch/strain.ts";
import { tellWorker } from "../environment.ts";
import { greet, listen } from "../listen.ts";
import { createLog } from "../log.ts";
import { onSignals } from "../shutdown.ts";
import { catchStrayErrors } from "../stray.ts";
import { createMetrics, togetherText } from "../telemetry/metrics.ts";
import { serveWorkers } from "./endpoint.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { createFront } from "./front.ts";
import { ownClaims } from "./owned.ts";
import { workerSpawner } from "./process.ts";
import { passedOn, type WorkerReport } from "./wire.ts";

/** Those who watch the server need nothing of it. */
const probes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

/** Runs the workers until signals, or IDLE_EXIT, have ended them. Rejects with a ConfigError when it cannot begin to. */
export async function supervise(config: Config): Promise<void> {
  const { workers, workerMaxRssBytes: maxRssBytes, http: { host, port, metricsPort } } = config;
  const log = createLog(config.logLevel).child({ ...config.fly });
  catchStrayErrors(log);
  const metrics = createMetrics({ clock });
  const restarts = metrics.counter("worker_restarts", "Workers that were started in place of another.", [
    "why",
  ]);
  metrics.gauge("workers", "Workers that are ready.", () => {
    return fleet.members.filter(({ state }) => state === "ready").length;
  });

  const token = crypto.randomUUID();
  // With Redis, which is shared with other machines, workers speak to it themselves.
  const { redisUrl: _, ...ownStore } = config;
  const store = await openStore(ownStore, { clock, log }) ?? memoryStore({ clock });
  const claims = ownClaims(store, { log });
  const take = (name: string, report: WorkerReport) => fleet.take(name, report);
  const endpoint = serveWorkers({ token, store: claims.of, take, log });
  const spawn = await workerSpawner();
  const fleet: Fleet = startFleet({
    workers,
    maxRssBytes,
    spawn: (worker) => spawn({ ...workerEnvironment(config), ...tellWorker({ ...endpoint, token, worker }) }),
    onGone: (worker) => void claims.lapse(worker),
    onRestart: (why) => restarts({ why }),
    clock,
    log,
  });
  const end = async (code: number): Promise<never> => {
    await fleet.drain();
    await store[Symbol.asyncDispose]();
    Deno.exit(code);
  };
  addEventListener("unload", () => fleet.kill("SIGKILL")); // however this process exits, none is left behind
  onSignals((enough) => {
    void end(0);
    enough.addEventListener("abort", () => fleet.kill("SIGTERM"), { once: true });
  }, { clock, log });
  const { failed } = await fleet.started;
  if (failed !== undefined) return await end(failed || 1);

  const front = createFront({ members: () => fleet.members, token, log });
  const sum = async (): Promise<Response> => {
    const text = await togetherText([await metrics.json(), ...await front.metrics()]);
    return new Response(text, { headers: { "content-type": metrics.contentType } });
  };
  const isBusy = () => fleet.members.some(({ report }) => report && report.sessions.length > 0);
  const onIdle = () => {
    log.info({}, "nobody needs the server: it ends");
    void end(0);
  };
  const { idleExitMs: idleMs } = config;
  const idle = idleMs === undefined ? undefined : watchIdle({ idleMs, isBusy, onIdle, clock });
  const answer: Deno.ServeHandler<Deno.NetAddr> = async (request, info) => {
    const { pathname } = new URL(request.url);
    if (!probes.has(pathname)) idle?.touch();
    return pathname === "/metrics" && metricsPort === undefined
      ? await sum()
      : await front.handle(request, info);
  };
  const [{ about = "", warnings = [] } = {}] = fleet.members.flatMap(({ report }) => report ?? []);
  const inWords = `${about}, in ${workers} processes`;
  listen({ variable: "PORT", port, host }, answer, (at) => greet(at, inWords, warnings));
  if (metricsPort !== undefined) listen({ variable: "METRICS_PORT", port: metricsPort, host }, sum);
}

/** What a worker's environment has of its own. */
function workerEnvironment({ workers, maxRssBytes, http: { clientAddressHeader } }: Config) {
  return {
    ...(maxRssBytes === undefined && {
      MAX_RSS_MB: String(Math.max(1, Math.floor(usableBytes() / workers / 2 ** 20))),
    }),
    ...(clientAddressHeader === undefined && { CLIENT_IP_HEADER: passedOn.address }),
  };
}
