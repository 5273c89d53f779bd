/**
 * The environment: the one place that reads it. Real variables win over a `.env` file in the working directory; an empty
 * one counts as not set.
 *
 * | variable | default | what it is |
 * |---|---|---|
 * | `LIVEKIT_URL` | – | where LiveKit runs: `wss://….livekit.cloud` or `ws://localhost:7880` (`https`, `http` are taken too) |
 * | `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET` | – | its key pair; all three or none |
 * | `LIVEKIT_WORKER` | `1` | whether LiveKit's own dispatches come here, by a worker that is registered with it, and are watched; `0`: not |
 * | `OPENAI_API_KEY` | – | for models named `openai/…` |
 * | `OPENAI_BASE_URL` | OpenAI's | any server that speaks OpenAI's API |
 * | `DEEPGRAM_API_KEY` | – | for models named `deepgram/…` |
 * | `DEEPGRAM_BASE_URL` | Deepgram's | a Deepgram of your own |
 * | `ELEVENLABS_API_KEY` | – | for models named `elevenlabs/…` |
 * | `ELEVENLABS_BASE_URL` | ElevenLabs' | another address of theirs, such as one that keeps data in a region |
 * | `ASSEMBLYAI_API_KEY` | – | for models named `assemblyai/…` |
 * | `ASSEMBLYAI_BASE_URL` | AssemblyAI's | another address of theirs, such as the one in Europe |
 * | `CARTESIA_API_KEY` | – | for models named `cartesia/…` |
 * | `CARTESIA_BASE_URL` | Cartesia's | another address of theirs |
 * | `ANTHROPIC_API_KEY` | – | for models named `anthropic/…` |
 * | `ANTHROPIC_BASE_URL` | Anthropic's | another server of theirs or a proxy, up to and including its `/v1` |
 * | `GOOGLE_API_KEY` | – | for models named `google/…`: a key of the Gemini API |
 * | `GOOGLE_BASE_URL` | Google's | another address, up to and including its `/v1beta` |
 * | `COMPATIBLE_API_KEY` | – | for models named `compatible/…`: the key of a server that speaks OpenAI's API; where it takes none, any word |
 * | `COMPATIBLE_BASE_URL` | – | where that server is, up to and including its `/v1` |
 * | `STT` | `deepgram/nova-3` | what the agents hear with; with OpenAI's key alone `openai/gpt-4o-transcribe`, with ElevenLabs' `elevenlabs/scribe_v2_realtime`, without keys the browser's ears |
 * | `LLM` | `openai/gpt-4o-mini` | what they think with; without a key a demo of fixed rules |
 * | `TTS` | `deepgram/aura-2-thalia-en` | what they speak with; by ElevenLabs' key `elevenlabs/eleven_turbo_v2_5`, Cartesia's `cartesia/sonic-3`, OpenAI's alone `openai/gpt-4o-mini-tts`; else `flite/slt` |
 * | `HOST` | `0.0.0.0`; without LiveKit keys `127.0.0.1` | address to listen on |
 * | `PORT` | `8080` | port to listen on; 0: any that is free |
 * | `DEV` | `0` | `1`, as `deno task dev` sets it: files in `agents/` take effect when they are saved, and `LOG_LEVEL` is `debug` |
 * | `LOG_LEVEL` | `info` | `debug` (with transcripts), `info`, `warn`, `error`, `silent` |
 * | `AUTO_AGENT` | – | the agent of rooms that name none: LiveKit's automatic dispatches and its webhooks send it; without it, none |
 * | `IDLE_EXIT` | – | seconds without a call and without a request after which the server ends, with 0: for machines that a request starts again |
 * | `DRAIN_TIMEOUT` | `240` | seconds that calls may go on after SIGTERM or SIGINT before their agents say goodbye; with `DEV=1` none |
 * | `FLY_REGION`, `FLY_MACHINE_ID` | – | set by Fly.io: where the server is; dispatches that it has no place for go to another machine |
 * | `REPORT_TTL` | `3600` | seconds that a session's report is kept after its end |
 * | `REPORT_WEBHOOK_URL`, `REPORT_WEBHOOK_SECRET` | – | where the report is posted when a session ends, and the secret it is signed with (`whsec_…`, Standard Webhooks); both or none |
 * | `CORS_ORIGINS` | – | origins whose pages may call the API, with commas between; without it, none |
 * | `CLIENT_IP_HEADER` | – | behind a proxy, the header that says who has connected to it, such as Fly.io's `Fly-Client-IP`; limits per address count by it |
 * | `METRICS_PORT` | – | a port of its own for `/metrics`, which then is nowhere else |
 * | `MAX_SESSIONS` | `50` | calls at a time; more are refused with 503 |
 * | `MAX_LAG_MS` | `300` | how late the event loop may be (99th percentile of 10 s) before more calls are refused |
 * | `MAX_RSS_MB` | 85 % of what it may have | memory of the process before more calls are refused |
 * | `MAX_CALL_SECONDS` | – | how long a call may last, unless its agent says so; it ends with a sentence and reason "max-duration" |
 * | `MAX_CALL_USD` | – | what a call may cost in US dollars, by the prices in `src/telemetry/prices.json`, unless its agent says so; it ends with a sentence and reason "cost-cap" |
 * | `WORKERS` | `1` | processes that take calls, with a supervisor before them when there are several; also `--num-workers` |
 * | `WORKER_MAX_RSS_MB` | – | with several: memory of one from which on another takes its place, while it goes on with the calls it has |
 * | `REDIS_URL` | – | a Redis (`redis://…`, with TLS `rediss://…`) that several processes share, so that a room has one agent wherever its calls are taken |
 * | `STATE_DIR` | – | in place of it on one machine: the folder where sessions are kept for the case that their process is gone: `state`, or a folder in it |
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
import { ConfigError } from "./errors.ts";

/** Variables as they are set. */
export type Environment = Readonly<Record<string, string | undefined>>;

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

/** A folder that the server may write to, or one in it. */
const folderIn = (name: string) =>
  z.string().transform((text) => text.replace(/^\.\//, "").replace(/\/+$/, ""))
    .refine((text) => new RegExp(`^${name}(/[\\w-][\\w.-]*)*$`).test(text), {
      error: `${name}, or a folder in it: the server may write nowhere else`,
    }).optional();

/** Every variable there is; each schema's error says what was expected. */
export const environment = z.object({
  LIVEKIT_URL: url("wss:", "ws:", "https:", "http:").transform((text) => text.replace(/^http/i, "ws"))
    .optional(),
  LIVEKIT_API_KEY: secret.optional(),
  LIVEKIT_API_SECRET: secret.optional(),
  LIVEKIT_WORKER: z.enum(["0", "1"], { error: "0 or 1" }).default("1"),
  OPENAI_API_KEY: secret.optional(),
  OPENAI_BASE_URL: url("https:", "http:").optional(),
  DEEPGRAM_API_KEY: secret.optional(),
  DEEPGRAM_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  ELEVENLABS_API_KEY: secret.optional(),
  ELEVENLABS_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  ASSEMBLYAI_API_KEY: secret.optional(),
  ASSEMBLYAI_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  CARTESIA_API_KEY: secret.optional(),
  CARTESIA_BASE_URL: url("https:", "http:", "wss:", "ws:").optional(),
  ANTHROPIC_API_KEY: secret.optional(),
  ANTHROPIC_BASE_URL: url("https:", "http:").optional(),
  GOOGLE_API_KEY: secret.optional(),
  GOOGLE_BASE_URL: url("https:", "http:").optional(),
  COMPATIBLE_API_KEY: secret.optional(),
  COMPATIBLE_BASE_URL: url("https:", "http:").optional(),
  STT: model("deepgram/nova-3").optional(),
  LLM: model("openai/gpt-4o-mini").optional(),
  TTS: model("deepgram/aura-2-thalia-en").optional(),
  HOST: z.string().refine((text) => /^[\w.:-]+$/.test(text), { error: "an address such as 0.0.0.0" })
    .optional(),
  PORT: wholeNumber(0, 65_535).default(8080),
  DEV: z.enum(["0", "1"], { error: "0 or 1" }).default("0"),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"], {
    error: "debug, info, warn, error or silent",
  }).optional(),
  AUTO_AGENT: z.string().optional(),
  IDLE_EXIT: wholeNumber(1, 999_999).optional(),
  DRAIN_TIMEOUT: wholeNumber(0, 999_999).default(240),
  FLY_REGION: z.string().optional(),
  FLY_MACHINE_ID: z.string().optional(),
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
  REDIS_URL: address("redis:", "rediss:").optional(),
  STATE_DIR: folderIn("state"),
  MAX_SESSIONS: wholeNumber(1, 10_000).default(50),
  MAX_LAG_MS: wholeNumber(1, 60_000).default(300),
  MAX_RSS_MB: wholeNumber(1, 999_999).optional(),
  WORKERS: wholeNumber(1, 64).default(1),
  WORKER_MAX_RSS_MB: wholeNumber(1, 999_999).optional(),
  MAX_CALL_SECONDS: wholeNumber(1, 999_999).optional(),
  MAX_CALL_USD: z.string().refine((text) => /^\d{1,6}(\.\d{1,6})?$/.test(text) && Number(text) > 0, {
    error: "US dollars such as 0.50",
  }).transform(Number).optional(),
  PLAYGROUND: z.enum(["0", "1"], { error: "1, or 0" }).optional(),
  PLAYGROUND_PASSWORD: z.string().min(8, "a password of at least 8 characters").optional(),
  VAD_MIN_SPEECH_MS: milliseconds.optional(),
  VAD_MIN_SILENCE_MS: milliseconds.optional(),
  ENDPOINTING_MIN_MS: milliseconds.optional(),
  ENDPOINTING_MAX_MS: milliseconds.optional(),
  INTERRUPTION_MIN_MS: milliseconds.optional(),
  INTERRUPTION_MIN_WORDS: wholeNumber(0, 100).optional(),
  TURN_MODEL: z.string().optional(),
  RECORD: folderIn("recordings"),
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

/** What a supervisor tells its worker in the one variable that nobody else sets. */
const supervisorVariable = "REPARTEE_SUPERVISOR";

/** Where the supervisor is, the secret between the two, and what the worker is called. */
export interface SupervisorAddress {
  readonly port: number;
  readonly token: string;
  readonly worker: string;
}

/** The supervisor of this process; undefined where it has none. */
export function supervisorIn({ [supervisorVariable]: told }: Environment): SupervisorAddress | undefined {
  if (!told) return undefined;
  return z.object({ port: z.int(), token: z.string(), worker: z.string() }).parse(JSON.parse(told));
}

/** What `supervisorIn` reads. */
export const tellWorker = (supervisor: SupervisorAddress): Environment => ({
  [supervisorVariable]: JSON.stringify(supervisor),
});

/** What the variables hold, once they were checked. */
export type CheckedEnvironment = z.infer<typeof environment>;

/** Checks `env`; throws one ConfigError that lists every problem, a line each. */
export function checkEnvironment(env: Environment): CheckedEnvironment {
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
  return parsed.data;
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
  if (set.REDIS_URL && set.STATE_DIR) {
    problems.push("REDIS_URL and STATE_DIR are both set; expected one of them");
  }
  if (set.DEV === "1" && Number(set.WORKERS ?? 1) > 1) {
    problems.push("DEV is 1 and WORKERS is more than 1; expected one of them");
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

/**
 * Where Deno may start no programs, LiveKit's native client finds none either: for every call it would wait for `lsb_release`,
 * a shell script, to say what system this is.
 */
export async function startNoPrograms(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "run" });
  if (state !== "granted") Deno.env.set("PATH", "/nowhere");
}
