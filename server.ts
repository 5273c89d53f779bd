/** The server: configuration → dependencies → HTTP → signals. */
import { agents as registered, defaultAgent } from "./agents/mod.ts";
import { createApp } from "./routes/app.ts";
import { createMetricsApp } from "./routes/metrics.ts";
import { systemClock as clock } from "./src/clock.ts";
import { type Config, secretsIn, warningsFor } from "./src/config.ts";
import { createDispatcher } from "./src/dispatch/dispatcher.ts";
import { sessionsElsewhere } from "./src/dispatch/elsewhere.ts";
import { watchIdle } from "./src/dispatch/idle.ts";
import { pageAgents } from "./src/dispatch/page_agents.ts";
import { createPages, pageRoomPrefix } from "./src/dispatch/pages.ts";
import { knownAutoAgent, prepare, turnDetector } from "./src/dispatch/readiness.ts";
import { reloadAgents } from "./src/dispatch/reload.ts";
import { rehearse } from "./src/dispatch/rehearsal.ts";
import { startRelay } from "./src/dispatch/relay.ts";
import { tellingResults } from "./src/dispatch/results.ts";
import { livekitRooms } from "./src/dispatch/rooms.ts";
import { checkDefaults, missingKeys } from "./src/dispatch/settings.ts";
import { openStore, recoverSessions, shareClaims } from "./src/dispatch/sharing.ts";
import { standbyMaker } from "./src/dispatch/standby.ts";
import { sessionStarter } from "./src/dispatch/start.ts";
import { measureStrain } from "./src/dispatch/strain.ts";
import { createWebhooks } from "./src/dispatch/webhooks.ts";
import { startMendedWorker } from "./src/dispatch/worker/mended.ts";
import type { SupervisorAddress } from "./src/environment.ts";
import { greet, listen } from "./src/listen.ts";
import { createLog } from "./src/log.ts";
import { createModels, preload } from "./src/models.ts";
import { recordingFiles } from "./src/recording/files.ts";
import { leave, onSignals } from "./src/shutdown.ts";
import { catchStrayErrors } from "./src/stray.ts";
import { joinSupervisor } from "./src/supervisor/supervised.ts";
import { createArchive, wentOn } from "./src/telemetry/archive.ts";
import { createMetrics } from "./src/telemetry/metrics.ts";
import { createReportWebhook } from "./src/telemetry/report_webhook.ts";
import { createVoicePool } from "./src/tts/pool.ts";
import { loadSilero } from "./src/vad/silero.ts";

/** Those who watch the server need nothing of it. */
const probes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Serves calls until a signal, or IDLE_EXIT, ends the process; where there is a supervisor, those that it passes on.
 * Rejects with a ConfigError when it cannot begin to.
 */
export async function serve(config: Config, supervisor?: SupervisorAddress): Promise<void> {
  const log = createLog(config.logLevel)
    .child({ ...config.fly, ...(supervisor && { worker: supervisor.worker }) });
  const supervised = supervisor && joinSupervisor(supervisor, { clock, log });
  catchStrayErrors(log);
  const agents = { ...registered };
  const names = Object.keys(agents);
  const voicePool = createVoicePool({ clock });
  const models = createModels({ ...config, voicePool, clock, log });
  checkDefaults(config.models, models);
  const warnings = [...warningsFor(config), ...missingKeys(agents, models)];
  const metrics = createMetrics({ clock });

  const { ttlMs, webhook } = config.reports;
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

  const autoAgent = knownAutoAgent(config, agents);
  const rooms = config.livekit && livekitRooms(config.livekit);
  const store = config.redisUrl === undefined && supervised
    ? supervised.store
    : await openStore(config, { clock, log });
  const sharing = store && rooms && { store, rooms, agents: names, archive, metrics, clock, log };
  const shared = sharing && shareClaims(sharing);
  const { recordFolder } = config;
  const recordings = recordFolder === undefined ? undefined : await recordingFiles(recordFolder, log);
  const ready = (some: typeof agents) => prepare(some, config);
  const module = new URL(import.meta.resolve("./agents/mod.ts"));
  const reloads = config.dev
    ? reloadAgents({ module, agents, names, prepare: ready, clock, log })
    : undefined;
  const dispatcher = tellingResults(
    createDispatcher({
      agents,
      defaultAgent,
      start: sessionStarter({
        agents,
        config,
        models,
        turnDetector: await turnDetector(config),
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
      strain: measureStrain({ ...config, clock }),
      clock,
      log,
    }),
    metrics.dispatched,
  );
  metrics.gauge(
    "load",
    "0–1: below 0.7 while another session would be taken, else 1.",
    () => dispatcher.load,
  );

  /** The page's own business. */
  const isOthers = (room: string) => config.playground.type !== "off" && room.startsWith(pageRoomPrefix);
  const countWebhook = metrics.counter("webhooks", "Genuine webhooks of LiveKit's.", ["event", "outcome"]);
  const countDrop = metrics.counter(
    "webhook_rooms_dropped",
    "Rooms not looked at since too many waited.",
  );
  const webhooks = rooms && createWebhooks({
    dispatcher,
    rooms,
    agents: names,
    autoAgent,
    isOthers,
    onWebhook: countWebhook,
    onDrop: () => countDrop({}),
    clock,
    log,
  });
  const playground = {
    access: config.playground,
    agents: pageAgents(agents, { models, names: config.models }),
    defaultAgent,
    pages: createPages({ dispatcher, agents, defaultAgent, clock, log }),
  };
  const { corsOrigins, clientAddressHeader, metricsPort } = config.http;
  const isHere = (sessionId: string) => {
    const record = archive.find(sessionId);
    return record !== undefined && !wentOn(record);
  };
  const relay = store && startRelay({
    store,
    has: isHere,
    answer: (request) => app.fetch(request),
    machine: config.fly?.machine,
    clock,
    log,
  });
  const app = createApp({
    dispatcher,
    archive,
    relay,
    // The supervisor asks all its workers.
    elsewhere: !supervised && rooms && shared
      ? sessionsElsewhere({ rooms, leases: shared.leases, isHere })
      : undefined,
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
    ...(metricsPort === undefined && !supervised && { metrics }),
    clock,
    log,
  });
  // Loaded before the port opens: a server that answers is ready for a call.
  await ready(agents);
  await Promise.all([loadSilero(), preload(Object.values(config.models)), rehearse({ config, models, log })]);

  const { livekit } = config;
  const worker = livekit && rooms && config.livekitWorker
    ? startMendedWorker({
      livekit,
      rooms,
      dispatcher,
      agents: names,
      autoAgent,
      isOthers,
      store,
      shared,
      metrics,
      clock,
      log,
    })
    : undefined;
  const servers: Deno.HttpServer[] = [];
  let isLeaving = false;
  const end = (enough = new AbortController().signal) => {
    if (isLeaving) return;
    isLeaving = true;
    voicePool[Symbol.dispose]();
    const others = [recovering, relay, store];
    const facts = { dispatcher, worker, webhooks, archive, reportWebhook, recordings };
    void leave({ ...facts, waitMs: config.drainMs, enough, servers, others, clock, log });
  };
  onSignals(end, { clock, log });
  const idle = config.idleExitMs === undefined || supervised ? undefined : watchIdle({
    idleMs: config.idleExitMs,
    isBusy: () => dispatcher.sessions.length > 0,
    onIdle() {
      log.info({}, "nobody needs the server: it ends");
      end();
    },
    clock,
  });
  const { stt, llm, tts } = config.models;
  const about = `the agent "${defaultAgent}": ${stt} → ${llm} → ${tts}`;
  const { host, port } = config.http;
  if (supervised) {
    const own = listen(
      { variable: "PORT", port: 0, host: "127.0.0.1" },
      supervised.guard(app.fetch, metrics),
    );
    servers.push(own);
    const stands = () => ({
      port: own.addr.port,
      rssBytes: Deno.memoryUsage().rss,
      load: dispatcher.load,
      takesCalls: dispatcher.refusal === undefined,
      sessions: dispatcher.sessions.map(({ sessionId, room }) => ({ sessionId, room })),
      about,
      warnings,
    });
    supervised.report(stands, () => end());
  } else {
    servers.push(listen({ variable: "PORT", port, host }, app.fetch, (at) => greet(at, about, warnings)));
    if (metricsPort !== undefined) {
      const { fetch } = createMetricsApp(metrics, { clock });
      servers.push(listen({ variable: "METRICS_PORT", port: metricsPort, host }, fetch));
    }
  }
  const recovering = sharing && shared && recoverSessions({
    ...sharing,
    ...shared,
    dispatcher,
    standBy: standbyMaker({ agents, config, models, clock, log }),
  });
}
