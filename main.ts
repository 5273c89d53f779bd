/** The server: configuration → dependencies → HTTP → signals. */
import { agents as registered, defaultAgent } from "./agents/mod.ts";
import { createApp } from "./routes/app.ts";
import { createMetricsApp } from "./routes/metrics.ts";
import type { Agent } from "./src/agent.ts";
import { systemClock as clock } from "./src/clock.ts";
import { preloadBackgrounds } from "./src/background.ts";
import { type Config, loadConfig, secretsIn, warningsFor } from "./src/config.ts";
import { automaticDispatches } from "./src/dispatch/automatic.ts";
import { createDispatcher, type Shared } from "./src/dispatch/dispatcher.ts";
import { watchIdle } from "./src/dispatch/idle.ts";
import { createLeases } from "./src/dispatch/leases.ts";
import { pageAgents } from "./src/dispatch/page_agents.ts";
import { createPages, pageRoomPrefix } from "./src/dispatch/pages.ts";
import { reloadAgents } from "./src/dispatch/reload.ts";
import { tellingResults } from "./src/dispatch/results.ts";
import { livekitRooms } from "./src/dispatch/rooms.ts";
import { createSharedTombstones } from "./src/dispatch/shared_tombstones.ts";
import { checkDefaults, missingKeys, preloadTokenizers } from "./src/dispatch/settings.ts";
import { sessionStarter } from "./src/dispatch/start.ts";
import { fileStore } from "./src/dispatch/store/files.ts";
import type { Store } from "./src/dispatch/store/store.ts";
import { measureStrain, type Strain } from "./src/dispatch/strain.ts";
import { createRepairs } from "./src/dispatch/repairs.ts";
import { memoryStore } from "./src/dispatch/store/memory.ts";
import { createWebhooks } from "./src/dispatch/webhooks.ts";
import { createWorker, retriesNothing } from "./src/dispatch/worker/worker.ts";
import { loadSmartTurn, type SmartTurn } from "./src/end_of_turn/smart_turn.ts";
import { readEnvironment } from "./src/environment.ts";
import { ConfigError, messageOf } from "./src/errors.ts";
import { createLog } from "./src/log.ts";
import { createModels, preload } from "./src/models.ts";
import { SPEAKER_FORMAT } from "./src/room/browser/wire.ts";
import { recordingFiles } from "./src/recording/files.ts";
import { createCheckpoints } from "./src/resume/checkpoints.ts";
import { startRecovery } from "./src/resume/recovery.ts";
import { catchStrayErrors } from "./src/stray.ts";
import { createMetrics } from "./src/telemetry/metrics.ts";
import { createArchive } from "./src/telemetry/archive.ts";
import { createReportWebhook } from "./src/telemetry/report_webhook.ts";
import { prepareMcp } from "./src/tools/mcp.ts";
import { loadSilero } from "./src/vad/silero.ts";

/** Those who watch the server need nothing of it. */
const probes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);
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

const agents = { ...registered };
const config = await configuration();
const log = createLog(config.logLevel).child({ ...config.fly });
catchStrayErrors(log);
const models = createModels({ ...config, clock, log });
const warnings = [...warningsFor(config), ...agentWarnings()];
const { ttlMs, webhook } = config.reports;
const metrics = createMetrics({ clock });
const countPost = metrics.counter("report_posts", "Reports posted, by what became of a try.", ["outcome"]);
const reportWebhook = webhook &&
  createReportWebhook({ ...webhook, onPost: (outcome) => countPost({ outcome }), clock, log });
const archive = createArchive({
  ttlMs,
  secrets: secretsIn(config),
  ...(reportWebhook && { onEnd: reportWebhook.post }),
  clock,
  log,
});
const autoAgent = knownAutoAgent();
const rooms = config.livekit && livekitRooms(config.livekit);
const store = await sharedStore();
const { recordFolder } = config;
const recordings = recordFolder === undefined
  ? undefined
  : await recordingFiles(recordFolder, log).catch(refuseToStart);
const reloads = config.dev
  ? reloadAgents({ module: new URL(import.meta.resolve("./agents/mod.ts")), agents, prepare, clock, log })
  : undefined;
const shared = sharedClaims();
const dispatcher = tellingResults(
  createDispatcher({
    agents,
    defaultAgent,
    start: sessionStarter({
      agents,
      config,
      models,
      turnDetector: await turnDetector(),
      recordings,
      latest: reloads?.latest,
      clock,
      log,
    }),
    onSession(session, facts) {
      archive.follow(session, facts);
      metrics.follow(session, facts);
      // Who came meanwhile may have been told of to another process.
      if (store) void session.done.then(() => webhooks?.look(facts));
    },
    rooms,
    shared,
    maxSessions: config.maxSessions,
    strain: strain(),
    clock,
    log,
  }),
  metrics.dispatched,
);
metrics.gauge("load", "0–1: below 0.7 while another session would be taken, else 1.", () => dispatcher.load);
const countWebhook = metrics.counter("webhooks", "Genuine webhooks of LiveKit's.", ["event", "outcome"]);
const countDrop = metrics.counter("webhook_rooms_dropped", "Rooms not looked at since too many waited.");
/** The page's own business. */
const isOthers = (room: string) => config.playground.type !== "off" && room.startsWith(pageRoomPrefix);
const webhooks = rooms && createWebhooks({
  dispatcher,
  rooms,
  agents: Object.keys(agents),
  autoAgent,
  isOthers,
  onWebhook: countWebhook,
  onDrop: () => countDrop({}),
  clock,
  log,
});
const pages = createPages({ dispatcher, agents, defaultAgent, clock, log });
const playground = {
  access: config.playground,
  agents: pageAgents(agents, { models, names: config.models }),
  defaultAgent,
  pages,
};
const { corsOrigins, clientAddressHeader, metricsPort } = config.http;
const app = createApp({
  dispatcher,
  archive,
  livekit: config.livekit,
  webhooks,
  playground,
  corsOrigins,
  clientAddressHeader,
  fly: config.fly,
  onAnswer(answer) {
    metrics.answered(answer);
    if (!probes.has(answer.route)) idle?.touch();
  },
  ...(metricsPort === undefined && { metrics }),
  clock,
  log,
});
// Loaded before the port opens: a server that answers is ready for a call.
await prepare(agents).catch(refuseToStart);
await Promise.all([loadSilero(), preload(Object.values(config.models))]);
const worker = livekitWorker();
exitOnSignals();
const idle = config.idleExitMs === undefined ? undefined : watchIdle({
  idleMs: config.idleExitMs,
  isBusy: () => dispatcher.sessions.length > 0,
  onIdle() {
    log.info({}, "nobody needs the server: it ends");
    void leave();
  },
  clock,
});
const servers = [listen("PORT", config.http.port, app, greet)];
if (metricsPort !== undefined) {
  servers.push(listen("METRICS_PORT", metricsPort, createMetricsApp(metrics, { clock }), () => {}));
}

const recovering = recovery();

/** The worker, and what makes good the dispatches that LiveKit loses; they begin at once. */
function livekitWorker() {
  const { livekit } = config;
  if (!livekit || !rooms || !config.livekitWorker) return undefined;
  const facts = { dispatcher, rooms, agents: Object.keys(agents), autoAgent, clock, log };
  const automatic = automaticDispatches({ ...facts, presence: dispatcher.presence, isOthers });
  const repairs = createRepairs({
    ...facts,
    automatic,
    store: store ?? memoryStore({ clock }),
    claimed: shared?.leases.claimed,
    onRepair: metrics.counter("dispatch_repairs", "Dispatches that LiveKit had lost.", ["outcome"]),
  });
  const worker = createWorker({
    ...facts,
    livekit,
    automatic,
    onJob: metrics.counter("livekit_jobs", "Jobs that LiveKit offered.", ["agent", "outcome"]),
    onRegistered: (answer) => retriesNothing(answer) && repairs.start(),
  });
  metrics.gauge("livekit_registrations", "Names registered with LiveKit.", () => worker.registered);
  return {
    report: worker.report,
    async [Symbol.asyncDispose]() {
      worker[Symbol.dispose]();
      await repairs[Symbol.asyncDispose]();
    },
  };
}

async function configuration(): Promise<Config> {
  try {
    return loadConfig(await readEnvironment());
  } catch (error) {
    return refuseToStart(error);
  }
}

function agentWarnings(): string[] {
  try {
    checkDefaults(config.models, models);
    return missingKeys(agents, models);
  } catch (error) {
    return refuseToStart(error);
  }
}

/** Loads what `agents` need before a call; rejects with a ConfigError when it is not to be had. */
async function prepare(agents: Readonly<Record<string, Agent>>): Promise<void> {
  await preloadBackgrounds(agents, SPEAKER_FORMAT.sampleRate);
  await prepareMcp(agents);
  await preloadTokenizers(agents, config);
}

/** AUTO_AGENT, which must be in the registry. */
function knownAutoAgent(): string | undefined {
  const { autoAgent } = config;
  if (autoAgent === undefined || Object.hasOwn(agents, autoAgent)) return autoAgent;
  const known = Object.keys(agents).join(", ");
  return refuseToStart(
    new ConfigError(
      `AUTO_AGENT is ${JSON.stringify(autoAgent)}; expected an agent of the registry: ${known}`,
    ),
  );
}

/** What is shared with other processes, or with the one that is started after this; Redis is loaded only where there is one. */
async function sharedStore(): Promise<Store | undefined> {
  const { redisUrl: url, stateFolder: folder } = config;
  if (folder !== undefined) return await fileStore({ folder, clock }).catch(refuseToStart);
  if (url === undefined) return undefined;
  const { redisStore } = await import("./src/dispatch/store/redis.ts");
  return redisStore({ url, clock, log });
}

function sharedClaims(): Shared | undefined {
  if (!store || !rooms) return undefined;
  const tombstones = createSharedTombstones({ store, agents: Object.keys(agents) });
  const count = metrics.counter("claims", "Claims among several processes, by what became of them.", [
    "outcome",
  ]);
  const leases = createLeases({
    store,
    rooms,
    tombstones,
    onOutcome: (outcome) => count({ outcome }),
    clock,
    log,
  });
  const sumsOf = (sessionId: string) => archive.find(sessionId)?.sums();
  return { leases, tombstones, checkpoints: createCheckpoints({ store, sumsOf, log }) };
}

/** Goes on with sessions whose process is gone. */
function recovery(): AsyncDisposable | undefined {
  if (!shared || !store || !rooms) return undefined;
  const count = metrics.counter("recoveries", "Sessions whose process was gone, by what became of them.", [
    "outcome",
  ]);
  return startRecovery({
    ...shared,
    store,
    dispatcher,
    rooms,
    onOutcome: (outcome) => count({ outcome }),
    clock,
    log,
  });
}

function strain(): Strain {
  try {
    return measureStrain({ ...config, clock });
  } catch (error) {
    return refuseToStart(error);
  }
}

async function turnDetector(): Promise<SmartTurn | undefined> {
  const { turnModel } = config;
  return turnModel === undefined ? undefined : await loadSmartTurn(turnModel).catch(refuseToStart);
}

function refuseToStart(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  return fail(`Repartee cannot start:\n${error.message.replaceAll(/^/gm, "  - ")}`);
}

function listen(
  variable: string,
  port: number,
  { fetch }: Pick<typeof app, "fetch">,
  onListen: (address: Deno.NetAddr) => void,
): Deno.HttpServer {
  const hostname = config.http.host;
  try {
    return Deno.serve({ hostname, port, onListen }, fetch);
  } catch (error) {
    return fail(`Repartee cannot listen on HOST ${hostname}, ${variable} ${port}: ${messageOf(error)}`);
  }
}

/** For the one at the terminal; what programs read is in the log. */
function greet({ hostname, port }: Deno.NetAddr): void {
  const host = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname.replace(/.*:.*/, "[$&]");
  const { stt, llm, tts } = config.models;
  console.error(
    `Repartee is at http://${host}:${port} with the agent "${defaultAgent}": ${stt} → ${llm} → ${tts}`,
  );
  for (const warning of warnings) console.error(`Warning: ${warning}`);
}

function exitOnSignals(): void {
  let leavingSinceMs: number | undefined;
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (leavingSinceMs !== undefined) {
        if (clock.now() - leavingSinceMs > sameSignalMs) Deno.exit(codes[signal]);
        return;
      }
      leavingSinceMs = clock.now();
      log.info({ signal }, "shutting down");
      void leave();
    });
  }
}

/** Ends every session, posts what is left to post, answers what is left to answer, and exits. */
async function leave(): Promise<never> {
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
  const last = [...servers.map((server) => server.shutdown()), ...closing];
  await Promise.race([Promise.all(last), clock.sleep(lastAnswersMs)]);
  await recovering?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
  Deno.exit(0);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(1);
}
