/**
 * The configuration: the one place that reads the environment. Real variables win over a `.env` file in the working
 * directory; an empty one counts as not set.
 *
 * | variable | default | what it is |
 * |---|---|---|
 * | `LIVEKIT_URL` | – | where LiveKit runs: `wss://….livekit.cloud` or `ws://localhost:7880` (`https`, `http` are taken too) |
 * | `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET` | – | its key pair; all three or none |
 * | `OPENAI_API_KEY` | – | for models named `openai/…` |
 * | `OPENAI_BASE_URL` | OpenAI's | any server that speaks OpenAI's API |
 * | `DEEPGRAM_API_KEY` | – | for models named `deepgram/…` |
 * | `DEEPGRAM_BASE_URL` | Deepgram's | a Deepgram of your own |
 * | `ELEVENLABS_API_KEY` | – | for models named `elevenlabs/…` |
 * | `ELEVENLABS_BASE_URL` | ElevenLabs' | another address of theirs, such as one that keeps data in a region |
 * | `STT` | `deepgram/nova-3` | what the agents hear with, unless they name their own; with OpenAI's key alone `openai/gpt-4o-transcribe`, without keys the browser's own recognition |
 * | `LLM` | `openai/gpt-4o-mini` | what they think with; without a key a demo of fixed rules |
 * | `TTS` | `deepgram/aura-2-thalia-en` | what they speak with; with ElevenLabs' key `elevenlabs/eleven_turbo_v2_5`, with OpenAI's alone `openai/gpt-4o-mini-tts`, without keys `flite/slt` on this machine |
 * | `HOST` | `0.0.0.0`; without LiveKit keys `127.0.0.1` | address to listen on |
 * | `PORT` | `8080` | port to listen on; 0: any that is free |
 * | `LOG_LEVEL` | `info` | `debug` (with transcripts), `info`, `warn`, `error`, `silent` |
 * | `AUTO_AGENT` | – | the agent that LiveKit's webhooks send to a room whose metadata names none; without it, none |
 * | `REPORT_TTL` | `3600` | seconds that a session's report is kept after its end |
 * | `REPORT_WEBHOOK_URL`, `REPORT_WEBHOOK_SECRET` | – | where the report is posted when a session ends, and the secret it is signed with (`whsec_…`, Standard Webhooks); both or none |
 * | `CORS_ORIGINS` | – | origins whose pages may call the API, with commas between; without it, none |
 * | `CLIENT_IP_HEADER` | – | behind a proxy, the header that says who has connected to it, such as Fly.io's `Fly-Client-IP`; limits per address count by it |
 * | `METRICS_PORT` | – | a port of its own for `/metrics`, which then is nowhere else |
 * | `MAX_SESSIONS` | `50` | calls at a time; more are refused with 503 |
 * | `MAX_CALL_SECONDS` | – | how long a call may last, unless its agent says so; it ends with a sentence and reason "max-duration" |
 * | `PLAYGROUND`, `PLAYGROUND_PASSWORD` | – | `1` and a password of 8 characters or more: the page is there, behind it; without both it is only on 127.0.0.1 without LiveKit keys |
 * | `VAD_MIN_SPEECH_MS` | `64` | voice before it counts as speech |
 * | `VAD_MIN_SILENCE_MS` | `400` | silence before speech counts as over |
 * | `ENDPOINTING_MIN_MS` | `350` | silence before an answer, at least |
 * | `ENDPOINTING_MAX_MS` | `3000` | silence before an answer, at most, whatever the recognizer does |
 * | `INTERRUPTION_MIN_MS` | `300` | speech that interrupts the agent, at least |
 * | `INTERRUPTION_MIN_WORDS` | `0` | words that interrupt the agent, at least; both must be reached |
 * | `TURN_MODEL` | – | a model that tells by the sound whether the user has finished: `.models/smart-turn-v3.2-cpu.onnx`, which `deno task turn-model` fetches |
 * | `RECORD` | – | the folder that each session is recorded in, for `deno task replay`: `recordings`, or a folder in it; what was said is in there |
 * | `SPECULATE` | `1` | whether an answer is prepared before it is known that the user has finished; `0`: never |
 */
import { parseEnv } from "node:util";
import * as z from "zod";
import type { EndpointingOptions, InterruptionOptions } from "./agent.ts";
import { ConfigError } from "./errors.ts";
import type { LogLevel } from "./log.ts";
import type { ProviderKeys } from "./models.ts";
import { defaultModels, type ModelNames, stageModels } from "./stand_ins.ts";
import type { VoiceOptions } from "./vad/vad.ts";

export interface Config {
  /** Missing when no LiveKit keys are set: the server runs, but can join no room. `url` is ws: or wss:. */
  readonly livekit?: LiveKitConfig;
  readonly openai: ProviderKeys;
  readonly deepgram: ProviderKeys;
  readonly elevenlabs: ProviderKeys;
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
  /** Whom LiveKit's webhooks send to a room whose metadata names nobody. */
  readonly autoAgent?: string;
  readonly reports: ReportConfig;
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
  readonly maxSessions: number;
  /** How long the calls of agents may last that do not say so themselves; as long as they like when left out. */
  readonly maxCallMs?: number;
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

type Environment = Readonly<Record<string, string | undefined>>;

const wholeNumber = (min: number, max: number) =>
  z.string().refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, {
    error: `a whole number from ${min} to ${max}`,
  }).transform(Number);

const milliseconds = wholeNumber(0, 60_000);

const address = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  });

/** An address that paths are added to. */
const url = (...protocols: string[]) => address(...protocols).transform((text) => text.replace(/\/+$/, ""));

const secret = z.string().refine((text) => !/\s/.test(text), {
  error: "a key without spaces or line breaks",
});

const model = (example: string) =>
  z.string().refine((text) => /^[a-z0-9-]+\/\S+$/.test(text), {
    error: `a provider and a model, such as ${example}`,
  });

/** Every variable there is; each schema's error says what was expected. */
export const environment = z.object({
  LIVEKIT_URL: url("wss:", "ws:", "https:", "http:").transform((text) => text.replace(/^http/i, "ws"))
    .optional(),
  LIVEKIT_API_KEY: secret.optional(),
  LIVEKIT_API_SECRET: secret.optional(),
  OPENAI_API_KEY: secret.optional(),
  OPENAI_BASE_URL: url("https:", "http:").optional(),
  DEEPGRAM_API_KEY: secret.optional(),
  DEEPGRAM_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  ELEVENLABS_API_KEY: secret.optional(),
  ELEVENLABS_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  STT: model("deepgram/nova-3").optional(),
  LLM: model("openai/gpt-4o-mini").optional(),
  TTS: model("deepgram/aura-2-thalia-en").optional(),
  HOST: z.string().refine((text) => /^[\w.:-]+$/.test(text), { error: "an address such as 0.0.0.0" })
    .optional(),
  PORT: wholeNumber(0, 65_535).default(8080),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"], {
    error: "debug, info, warn, error or silent",
  }).default("info"),
  AUTO_AGENT: z.string().optional(),
  REPORT_TTL: wholeNumber(0, 999_999_999).default(3600),
  REPORT_WEBHOOK_URL: address("https:", "http:").optional(),
  REPORT_WEBHOOK_SECRET: z.string().refine((text) => /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(text), {
    error: "whsec_ and at least 24 random bytes in base64, as `openssl rand -base64 32` makes them",
  }).optional(),
  CORS_ORIGINS: z.string().transform((text) => text.split(",").map((part) => part.trim()).filter(Boolean))
    .refine((origins) => origins.every((origin) => URL.parse(origin)?.origin === origin), {
      error: "origins such as https://app.example.com, with commas between",
    }).default([]),
  CLIENT_IP_HEADER: z.string().refine((text) => /^[A-Za-z0-9-]{1,64}$/.test(text), {
    error: "a header's name, such as Fly-Client-IP",
  }).optional(),
  METRICS_PORT: wholeNumber(1, 65_535).optional(),
  MAX_SESSIONS: wholeNumber(1, 10_000).default(50),
  MAX_CALL_SECONDS: wholeNumber(1, 999_999).optional(),
  PLAYGROUND: z.enum(["0", "1"], { error: "1, or 0" }).optional(),
  PLAYGROUND_PASSWORD: z.string().min(8, "a password of at least 8 characters").optional(),
  VAD_MIN_SPEECH_MS: milliseconds.optional(),
  VAD_MIN_SILENCE_MS: milliseconds.optional(),
  ENDPOINTING_MIN_MS: milliseconds.optional(),
  ENDPOINTING_MAX_MS: milliseconds.optional(),
  INTERRUPTION_MIN_MS: milliseconds.optional(),
  INTERRUPTION_MIN_WORDS: wholeNumber(0, 100).optional(),
  TURN_MODEL: z.string().optional(),
  RECORD: z.string().transform((text) => text.replace(/^\.\//, "").replace(/\/+$/, ""))
    .refine((text) => /^recordings(\/[\w-][\w.-]*)*$/.test(text), {
      error: "recordings, or a folder in it: the server may write nowhere else",
    }).optional(),
  SPECULATE: z.enum(["0", "1"], { error: "0 or 1" }).default("1"),
});

/** The process's environment, with what a `.env` file in the working directory adds to it. */
export async function readEnvironment(): Promise<Environment> {
  let file = "";
  try {
    file = await Deno.readTextFile(".env");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return { ...parseEnv(file), ...Deno.env.toObject() };
}

/** Checks `env` and returns the configuration; throws one ConfigError that lists every problem, a line each. */
export function loadConfig(env: Environment): Config {
  const set: Record<string, string> = {};
  for (const name of Object.keys(environment.shape)) {
    const value = env[name]?.trim();
    if (value) set[name] = value;
  }
  const parsed = environment.safeParse(set);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => describeIssue(issue, set)),
    ...contradictions(set),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.join("\n"));
  return configFrom(parsed.data);
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
  for (const provider of ["openai", "deepgram", "elevenlabs"] as const) {
    const used = Object.values(models).filter((model) => model.startsWith(`${provider}/`));
    if (used.length === 0 || config[provider].apiKey) continue;
    warnings.push(`${provider.toUpperCase()}_API_KEY is not set: ${used.join(" and ")} cannot be used.`);
  }
  return warnings;
}

function configFrom(env: z.infer<typeof environment>): Config {
  const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = env;
  const livekit = url && apiKey && apiSecret ? { url, apiKey, apiSecret } : undefined;
  const openai = defined({ apiKey: env.OPENAI_API_KEY, baseUrl: env.OPENAI_BASE_URL });
  const deepgram = defined({ apiKey: env.DEEPGRAM_API_KEY, baseUrl: env.DEEPGRAM_BASE_URL });
  const elevenlabs = defined({ apiKey: env.ELEVENLABS_API_KEY, baseUrl: env.ELEVENLABS_BASE_URL });
  const { REPORT_WEBHOOK_URL: reportUrl, REPORT_WEBHOOK_SECRET: reportSecret } = env;
  const host = env.HOST ?? (livekit ? "0.0.0.0" : "127.0.0.1");
  return {
    ...(livekit && { livekit }),
    openai,
    deepgram,
    elevenlabs,
    http: {
      host,
      port: env.PORT,
      corsOrigins: env.CORS_ORIGINS,
      ...defined({ metricsPort: env.METRICS_PORT, clientAddressHeader: env.CLIENT_IP_HEADER }),
    },
    ...defined({ autoAgent: env.AUTO_AGENT }),
    reports: {
      ttlMs: env.REPORT_TTL * 1000,
      ...(reportUrl && reportSecret && { webhook: { url: reportUrl, secret: reportSecret } }),
    },
    logLevel: env.LOG_LEVEL,
    models: {
      ...defaultModels({ openai, deepgram, elevenlabs }),
      ...defined({ stt: env.STT, llm: env.LLM, tts: env.TTS }),
    },
    voice: defined({ minSpeechMs: env.VAD_MIN_SPEECH_MS, minSilenceMs: env.VAD_MIN_SILENCE_MS }),
    endpointing: defined({ minDelayMs: env.ENDPOINTING_MIN_MS, maxDelayMs: env.ENDPOINTING_MAX_MS }),
    interruption: defined({ minDurationMs: env.INTERRUPTION_MIN_MS, minWords: env.INTERRUPTION_MIN_WORDS }),
    ...defined({ turnModel: env.TURN_MODEL, recordFolder: env.RECORD }),
    speculate: env.SPECULATE === "1",
    maxSessions: env.MAX_SESSIONS,
    ...(env.MAX_CALL_SECONDS !== undefined && { maxCallMs: env.MAX_CALL_SECONDS * 1000 }),
    playground: playgroundFor(env, !livekit && isLoopback(host)),
  };
}

function playgroundFor(env: z.infer<typeof environment>, local: boolean): PlaygroundAccess {
  if (env.PLAYGROUND === "0") return { type: "off" };
  if (env.PLAYGROUND === "1" && env.PLAYGROUND_PASSWORD) {
    return { type: "password", password: env.PLAYGROUND_PASSWORD };
  }
  return { type: local ? "local" : "off" };
}

/** What nobody may be told, wherever it turns up. */
export function secretsIn({ livekit, reports, playground, ...config }: Config): string[] {
  const keys = [config.openai, config.deepgram, config.elevenlabs].map(({ apiKey }) => apiKey);
  const password = playground.type === "password" ? playground.password : undefined;
  return [...keys, livekit?.apiSecret, reports.webhook?.secret, password].filter((one) => one !== undefined);
}

/** Whether `host` names this machine to itself, however it is resolved. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/** What variables say against each other. */
function contradictions(set: Readonly<Record<string, string>>): string[] {
  const problems: string[] = [];
  const livekit = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"];
  const missing = livekit.filter((name) => !set[name]);
  if (missing.length > 0 && missing.length < livekit.length) {
    problems.push(
      `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} not set; expected all three of ` +
        `${livekit.join(", ")}, or none of them`,
    );
  }
  if (set.PLAYGROUND !== "0" && (set.PLAYGROUND === "1") !== (set.PLAYGROUND_PASSWORD !== undefined)) {
    problems.push(
      "Only one of PLAYGROUND=1 and PLAYGROUND_PASSWORD is set; expected both, for a page behind a password",
    );
  }
  if ((set.REPORT_WEBHOOK_URL === undefined) !== (set.REPORT_WEBHOOK_SECRET === undefined)) {
    problems.push("Only one of REPORT_WEBHOOK_URL and REPORT_WEBHOOK_SECRET is set; expected both, or none");
  }
  const min = Number(set.ENDPOINTING_MIN_MS ?? 350);
  const max = Number(set.ENDPOINTING_MAX_MS ?? 3000);
  if (min > max) {
    problems.push(
      `ENDPOINTING_MIN_MS is ${min} and ENDPOINTING_MAX_MS is ${max}; expected a minimum up to the maximum`,
    );
  }
  return problems;
}

function describeIssue({ path, message }: z.core.$ZodIssue, set: Readonly<Record<string, string>>): string {
  const name = String(path[0]);
  // A key must not reach the terminal, not even one that was put into the wrong variable's URL.
  const hidden = /_KEY$|_SECRET$|_URL$|_PASSWORD$/.test(name);
  return `${name} is ${hidden ? "not valid" : JSON.stringify(set[name])}; expected ${message}`;
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** `values` without those that are not set. */
function defined<T extends Record<string, unknown>>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
