/** The configuration: what the environment's variables come to. */
import type { EndpointingOptions, InterruptionOptions } from "./agent.ts";
import { type CheckedEnvironment, checkEnvironment, type Environment } from "./environment.ts";
import type { LogLevel } from "./log.ts";
import { accountOf, forEachKeyed, type KeyedProvider, keyedProviders, type Keys } from "./keys.ts";
import { allIn, providerIn } from "./model_names.ts";
import { defaultModels, type ModelNames, stageModels } from "./stand_ins.ts";
import type { VoiceOptions } from "./vad/vad.ts";

export interface Config extends Keys {
  /** Missing when no LiveKit keys are set: the server runs, but can join no room. `url` is ws: or wss:. */
  readonly livekit?: LiveKitConfig;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Origins whose pages may call the API. */
    readonly corsOrigins: readonly string[];
    /** The header in which the proxy in front says who has connected to it. */
    readonly clientAddressHeader?: string;
    /** Where `/metrics` is; the same port as everything else when it is left out. */
    readonly metricsPort?: number;
  };
  /** Whether this server is a worker of LiveKit's. */
  readonly livekitWorker: boolean;
  /** Who is sent to a room that names nobody, by LiveKit's automatic dispatches and its webhooks. */
  readonly autoAgent?: string;
  /** How long nobody may need the server before it ends, in milliseconds; for ever when it is left out. */
  readonly idleExitMs?: number;
  /** How long calls may go on when it is to end, in milliseconds. */
  readonly drainMs: number;
  /** The machine on Fly.io that it runs on. */
  readonly fly?: { readonly region: string; readonly machine?: string };
  readonly reports: ReportConfig;
  /** Whether agents are being written: their files take effect when they are saved. */
  readonly dev: boolean;
  readonly logLevel: LogLevel;
  /** Model strings (`provider/model`) for agents that name none. */
  readonly models: ModelNames;
  readonly voice: VoiceOptions;
  readonly endpointing: EndpointingOptions;
  readonly interruption: InterruptionOptions;
  /** The file of a model that tells by the sound whether the user has finished. */
  readonly turnModel?: string;
  /** The folder that each session is recorded in. */
  readonly recordFolder?: string;
  /** Whether answers are prepared before it is known that the user has finished. */
  readonly speculate: boolean;
  /** The folder that this process shares with others of its machine that take calls, and with the one that is started after it. */
  readonly stateFolder?: string;
  /** A Redis that this process shares with others that take calls; it may hold a password. */
  readonly redisUrl?: string;
  /** How many processes take calls; with more than one a supervisor stands before them. */
  readonly workers: number;
  /** From so much memory on a worker is replaced; never when it is left out. */
  readonly workerMaxRssBytes?: number;
  readonly maxSessions: number;
  /** How late the event loop may be, and how much memory the process may take, before more calls are refused. */
  readonly maxLagMs: number;
  readonly maxRssBytes?: number;
  /** How long the calls of agents may last that do not say so themselves; as long as they like when left out. */
  readonly maxCallMs?: number;
  /** What the calls of agents may cost that do not say so themselves, in US dollars; as much as they like when left out. */
  readonly maxCallUsd?: number;
  readonly playground: PlaygroundAccess;
}

/** What becomes of the reports of sessions that have ended. */
export interface ReportConfig {
  /** How long they are kept, milliseconds. */
  readonly ttlMs: number;
  /** Where they are posted, and what they are signed with (`whsec_…`). */
  readonly webhook?: { readonly url: string; readonly secret: string };
}

/** Who may use the page: nobody, a browser on this machine, or who knows the password. */
export type PlaygroundAccess =
  | { readonly type: "off" }
  | { readonly type: "local" }
  | { readonly type: "password"; readonly password: string };

export interface LiveKitConfig {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}
/** The configuration of `env`; throws one ConfigError that lists every problem, a line each. */
export function loadConfig(env: Environment): Config {
  return configFrom(checkEnvironment(env));
}

/** What will not work with this configuration, or only in part, a sentence each. */
export function warningsFor({ livekit, models, ...config }: Config): string[] {
  const warnings: string[] = [];
  if (!livekit) {
    warnings.push(
      "LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set: agents talk on the page only.",
    );
  }
  for (const { stage, model, simulated, hint } of stageModels(models)) {
    if (!hint) continue;
    const what = { stt: "Speech is recognized by", llm: "Answers come from", tts: "The voice is" }[stage];
    warnings.push(`${what} ${model}${simulated ? " (simulated)" : ""}. ${hint}`);
  }
  const named = Object.values(models).flatMap(allIn);
  for (const provider of Object.keys(keyedProviders) as KeyedProvider[]) {
    const used = named.filter((name) => accountOf(providerIn(name)) === provider);
    if (used.length === 0 || config[provider].apiKey) continue;
    warnings.push(`${keyedProviders[provider]}_API_KEY is not set: ${used.join(" and ")} cannot be used.`);
  }
  return warnings;
}

function configFrom(env: CheckedEnvironment): Config {
  const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = env;
  const livekit = url && apiKey && apiSecret ? { url, apiKey, apiSecret } : undefined;
  const keys = forEachKeyed((_, prefix) =>
    defined({ apiKey: env[`${prefix}_API_KEY`], baseUrl: env[`${prefix}_BASE_URL`] })
  );
  const { REPORT_WEBHOOK_URL: reportUrl, REPORT_WEBHOOK_SECRET: reportSecret } = env;
  const host = env.HOST ?? (livekit ? "0.0.0.0" : "127.0.0.1");
  return {
    ...(livekit && { livekit }),
    ...keys,
    http: {
      host,
      port: env.PORT,
      corsOrigins: env.CORS_ORIGINS,
      ...defined({ metricsPort: env.METRICS_PORT, clientAddressHeader: env.CLIENT_IP_HEADER }),
    },
    livekitWorker: env.LIVEKIT_WORKER === "1",
    ...defined({ autoAgent: env.AUTO_AGENT }),
    drainMs: env.DEV === "1" ? 0 : env.DRAIN_TIMEOUT * 1000,
    ...(env.IDLE_EXIT !== undefined && { idleExitMs: env.IDLE_EXIT * 1000 }),
    ...(env.FLY_REGION !== undefined && {
      fly: { region: env.FLY_REGION, ...defined({ machine: env.FLY_MACHINE_ID }) },
    }),
    reports: {
      ttlMs: env.REPORT_TTL * 1000,
      ...(reportUrl && reportSecret && { webhook: { url: reportUrl, secret: reportSecret } }),
    },
    dev: env.DEV === "1",
    logLevel: env.LOG_LEVEL ?? (env.DEV === "1" ? "debug" : "info"),
    models: {
      ...defaultModels(keys),
      ...defined({ stt: env.STT, llm: env.LLM, tts: env.TTS }),
    },
    voice: defined({ minSpeechMs: env.VAD_MIN_SPEECH_MS, minSilenceMs: env.VAD_MIN_SILENCE_MS }),
    endpointing: defined({ minDelayMs: env.ENDPOINTING_MIN_MS, maxDelayMs: env.ENDPOINTING_MAX_MS }),
    interruption: defined({ minDurationMs: env.INTERRUPTION_MIN_MS, minWords: env.INTERRUPTION_MIN_WORDS }),
    ...defined({ turnModel: env.TURN_MODEL, recordFolder: env.RECORD }),
    speculate: env.SPECULATE === "1",
    ...defined({ redisUrl: env.REDIS_URL, stateFolder: env.STATE_DIR }),
    workers: env.WORKERS,
    ...(env.WORKER_MAX_RSS_MB !== undefined && { workerMaxRssBytes: env.WORKER_MAX_RSS_MB * 2 ** 20 }),
    maxSessions: env.MAX_SESSIONS,
    maxLagMs: env.MAX_LAG_MS,
    ...(env.MAX_RSS_MB !== undefined && { maxRssBytes: env.MAX_RSS_MB * 2 ** 20 }),
    ...(env.MAX_CALL_SECONDS !== undefined && { maxCallMs: env.MAX_CALL_SECONDS * 1000 }),
    ...defined({ maxCallUsd: env.MAX_CALL_USD }),
    playground: playgroundFor(env, !livekit && isLoopback(host)),
  };
}

function playgroundFor(env: CheckedEnvironment, local: boolean): PlaygroundAccess {
  if (env.PLAYGROUND === "0") return { type: "off" };
  if (env.PLAYGROUND === "1" && env.PLAYGROUND_PASSWORD) {
    return { type: "password", password: env.PLAYGROUND_PASSWORD };
  }
  return { type: local ? "local" : "off" };
}

/** What nobody may be told, wherever it turns up. */
export function secretsIn({ livekit, reports, playground, redisUrl, ...config }: Config): string[] {
  const keys = Object.values(forEachKeyed((provider) => config[provider].apiKey));
  const password = playground.type === "password" ? playground.password : undefined;
  const redisPassword = redisUrl && decodeURIComponent(new URL(redisUrl).password) || undefined;
  return [...keys, livekit?.apiSecret, reports.webhook?.secret, password, redisPassword]
    .filter((one) => one !== undefined);
}

/** Whether `host` names this machine to itself, however it is resolved. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** `values` without those that are not set. */
function defined<T extends Record<string, unknown>>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
