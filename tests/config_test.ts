import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { parseEnv } from "node:util";
import { loadConfig, secretsIn, warningsFor } from "../src/config.ts";
import { environment } from "../src/environment.ts";
import { ConfigError } from "../src/errors.ts";

const livekit = {
  LIVEKIT_URL: "wss://x.livekit.cloud/",
  LIVEKIT_API_KEY: "key",
  LIVEKIT_API_SECRET: "s3cret",
};

const halfAPage =
  "Only one of PLAYGROUND=1 and PLAYGROUND_PASSWORD is set; expected both, for a page behind a password";

const reportSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

describe("loadConfig", () => {
  it("has a default for everything", () => {
    assertEquals(loadConfig({}), {
      openai: {},
      deepgram: {},
      elevenlabs: {},
      assemblyai: {},
      anthropic: {},
      google: {},
      compatible: {},
      cartesia: {},
      http: { host: "127.0.0.1", port: 8080, corsOrigins: [] },
      reports: { ttlMs: 3_600_000 },
      livekitWorker: true,
      drainMs: 240_000,
      dev: false,
      logLevel: "info",
      models: { stt: "browser/speech", llm: "demo/rules", tts: "flite/slt" },
      voice: {},
      endpointing: {},
      interruption: {},
      speculate: true,
      workers: 1,
      maxSessions: 50,
      maxLagMs: 300,
      playground: { type: "local" },
    });
  });

  it("reads every variable", () => {
    const config = loadConfig({
      ...livekit,
      OPENAI_API_KEY: " sk-1 ",
      OPENAI_BASE_URL: "http://127.0.0.1:1/v1/",
      DEEPGRAM_API_KEY: "dg",
      DEEPGRAM_BASE_URL: "ws://127.0.0.1:2",
      ELEVENLABS_API_KEY: "el",
      ELEVENLABS_BASE_URL: "http://127.0.0.1:3/",
      ASSEMBLYAI_API_KEY: "aai",
      ASSEMBLYAI_BASE_URL: "http://127.0.0.1:4/",
      CARTESIA_API_KEY: "ca",
      CARTESIA_BASE_URL: "https://127.0.0.1:4",
      ANTHROPIC_API_KEY: "an",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:5/v1",
      GOOGLE_API_KEY: "go",
      GOOGLE_BASE_URL: "http://127.0.0.1:6/v1beta",
      COMPATIBLE_API_KEY: "co",
      COMPATIBLE_BASE_URL: "http://127.0.0.1:7/v1/",
      LIVEKIT_WORKER: "0",
      AUTO_AGENT: "support",
      IDLE_EXIT: "300",
      DRAIN_TIMEOUT: "30", // not where agents are being written
      FLY_REGION: "fra",
      FLY_MACHINE_ID: "148e",
      REPORT_TTL: "60",
      REPORT_WEBHOOK_URL: "https://example.com/reports/",
      REPORT_WEBHOOK_SECRET: reportSecret,
      CORS_ORIGINS: "https://a.example, http://localhost:3000",
      CLIENT_IP_HEADER: "Fly-Client-IP",
      METRICS_PORT: "9091",
      STT: "deepgram/nova-2:de",
      LLM: "openai/org/model",
      TTS: "deepgram/aura-2-x",
      HOST: "::1",
      PORT: "0",
      LOG_LEVEL: "error",
      DEV: "1",
      MAX_SESSIONS: "2",
      REDIS_URL: "rediss://me:p%40ss@redis.example.com:6380/2",
      MAX_LAG_MS: "100",
      MAX_RSS_MB: "400",
      WORKERS: "1",
      WORKER_MAX_RSS_MB: "300",
      MAX_CALL_SECONDS: "600",
      MAX_CALL_USD: "0.50",
      PLAYGROUND: "1",
      PLAYGROUND_PASSWORD: "open sesame",
      VAD_MIN_SPEECH_MS: "1",
      VAD_MIN_SILENCE_MS: "2",
      ENDPOINTING_MIN_MS: "3",
      ENDPOINTING_MAX_MS: "4",
      INTERRUPTION_MIN_MS: "5",
      INTERRUPTION_MIN_WORDS: "6",
      SPECULATE: "0",
      TURN_MODEL: "models/turn.onnx",
      RECORD: "./recordings/today/",
    });
    assertEquals(config, {
      livekit: { url: "wss://x.livekit.cloud", apiKey: "key", apiSecret: "s3cret" },
      openai: { apiKey: "sk-1", baseUrl: "http://127.0.0.1:1/v1" },
      deepgram: { apiKey: "dg", baseUrl: "ws://127.0.0.1:2" },
      elevenlabs: { apiKey: "el", baseUrl: "http://127.0.0.1:3" },
      assemblyai: { apiKey: "aai", baseUrl: "http://127.0.0.1:4" },
      cartesia: { apiKey: "ca", baseUrl: "https://127.0.0.1:4" },
      anthropic: { apiKey: "an", baseUrl: "http://127.0.0.1:5/v1" },
      google: { apiKey: "go", baseUrl: "http://127.0.0.1:6/v1beta" },
      compatible: { apiKey: "co", baseUrl: "http://127.0.0.1:7/v1" },
      livekitWorker: false,
      autoAgent: "support",
      idleExitMs: 300_000,
      drainMs: 0,
      fly: { region: "fra", machine: "148e" },
      reports: { ttlMs: 60_000, webhook: { url: "https://example.com/reports/", secret: reportSecret } },
      http: {
        host: "::1",
        port: 0,
        corsOrigins: ["https://a.example", "http://localhost:3000"],
        metricsPort: 9091,
        clientAddressHeader: "Fly-Client-IP",
      },
      dev: true,
      logLevel: "error",
      models: { stt: "deepgram/nova-2:de", llm: "openai/org/model", tts: "deepgram/aura-2-x" },
      voice: { minSpeechMs: 1, minSilenceMs: 2 },
      endpointing: { minDelayMs: 3, maxDelayMs: 4 },
      interruption: { minDurationMs: 5, minWords: 6 },
      turnModel: "models/turn.onnx",
      recordFolder: "recordings/today",
      speculate: false,
      redisUrl: "rediss://me:p%40ss@redis.example.com:6380/2",
      maxSessions: 2,
      maxLagMs: 100,
      maxRssBytes: 400 * 2 ** 20,
      workers: 1,
      workerMaxRssBytes: 300 * 2 ** 20,
      maxCallMs: 600_000,
      maxCallUsd: 0.5,
      playground: { type: "password", password: "open sesame" },
    });
  });

  it("listens to the world only with LiveKit keys", () => {
    assertEquals(loadConfig(livekit).http.host, "0.0.0.0");
    assertEquals(loadConfig({ ...livekit, HOST: "10.0.0.1" }).http.host, "10.0.0.1");
  });

  const pages: [what: string, env: Record<string, string>, access: string][] = [
    ["on this machine", {}, "local"],
    ["on this machine, by name", { HOST: "localhost" }, "local"],
    ["on this machine, turned off", { PLAYGROUND: "0" }, "off"],
    ["in the network", { HOST: "0.0.0.0" }, "off"],
    ["in the network, by a name that looks local", { HOST: "127.0.0.1.example.com" }, "off"],
    ["with LiveKit keys", livekit, "off"],
    ["with LiveKit keys on this machine", { ...livekit, HOST: "127.0.0.1" }, "off"],
    ["with a password", { ...livekit, PLAYGROUND: "1", PLAYGROUND_PASSWORD: "12345678" }, "password"],
  ];
  for (const [what, env, access] of pages) {
    it(`has the page ${access} ${what}`, () => assertEquals(loadConfig(env).playground.type, access));
  }

  for (
    const [given, url] of [
      ["ws://localhost:7880", "ws://localhost:7880"],
      ["http://localhost:7880/", "ws://localhost:7880"],
      ["https://x.livekit.cloud", "wss://x.livekit.cloud"],
    ]
  ) {
    it(`takes LIVEKIT_URL ${given}`, () => {
      assertEquals(loadConfig({ ...livekit, LIVEKIT_URL: given }).livekit?.url, url);
    });
  }

  it("takes an empty variable as one that is not set, and ignores what it does not know", () => {
    assertEquals(loadConfig({ PORT: "", LIVEKIT_URL: " ", OTHER: "x" }), loadConfig({}));
  });

  const wrong: [string, Record<string, string>, string][] = [
    ["a page without a password", { PLAYGROUND: "1" }, halfAPage],
    ["a password without a page", { PLAYGROUND_PASSWORD: "12345678" }, halfAPage],
    [
      "a short password, without showing it",
      { PLAYGROUND: "1", PLAYGROUND_PASSWORD: "1234567" },
      "PLAYGROUND_PASSWORD is not valid; expected a password of at least 8 characters",
    ],
    ["a port", { PORT: "http" }, 'PORT is "http"; expected a whole number from 0 to 65535'],
    ["a large port", { PORT: "65536" }, 'PORT is "65536"; expected a whole number from 0 to 65535'],
    [
      "a fraction",
      { VAD_MIN_SPEECH_MS: "1.5" },
      'VAD_MIN_SPEECH_MS is "1.5"; expected a whole number from 0 to 60000',
    ],
    ["a level", { LOG_LEVEL: "loud" }, 'LOG_LEVEL is "loud"; expected debug, info, warn, error or silent'],
    [
      "a model",
      { STT: "nova-3" },
      'STT is "nova-3"; expected a provider and a model, such as deepgram/nova-3',
    ],
    [
      "an endpointing range",
      { ENDPOINTING_MIN_MS: "5000" },
      "ENDPOINTING_MIN_MS is 5000 and ENDPOINTING_MAX_MS is 3000; expected a minimum up to the maximum",
    ],
    [
      "one of three",
      { LIVEKIT_API_KEY: "k" },
      "LIVEKIT_URL and LIVEKIT_API_SECRET are not set; expected all three of LIVEKIT_URL, LIVEKIT_API_KEY, " +
      "LIVEKIT_API_SECRET, or none of them",
    ],
    [
      "a URL, without showing it",
      { OPENAI_BASE_URL: "sk-123" },
      "OPENAI_BASE_URL is not valid; expected an address that begins with https:// or http://",
    ],
    [
      "a report secret of another kind, without showing it",
      { REPORT_WEBHOOK_URL: "https://example.com", REPORT_WEBHOOK_SECRET: "hunter2" },
      "REPORT_WEBHOOK_SECRET is not valid; expected whsec_ and at least 24 random bytes in base64, as " +
      "`openssl rand -base64 32` makes them",
    ],
    [
      "an unsigned report webhook",
      { REPORT_WEBHOOK_URL: "https://example.com" },
      "Only one of REPORT_WEBHOOK_URL and REPORT_WEBHOOK_SECRET is set; expected both, or none",
    ],
    [
      "a header that none is called",
      { CLIENT_IP_HEADER: "the caller" },
      'CLIENT_IP_HEADER is "the caller"; expected a header\'s name, such as Fly-Client-IP',
    ],
    [
      "a folder of state elsewhere",
      { STATE_DIR: "/var/state" },
      'STATE_DIR is "/var/state"; expected state, or a folder in it: the server may write nowhere else',
    ],
    [
      "two places for what is shared",
      { STATE_DIR: "state", REDIS_URL: "redis://localhost" },
      "REDIS_URL and STATE_DIR are both set; expected one of them",
    ],
    ["no process at all", { WORKERS: "0" }, 'WORKERS is "0"; expected a whole number from 1 to 64'],
    [
      "several processes for who writes agents",
      { DEV: "1", WORKERS: "2" },
      "DEV is 1 and WORKERS is more than 1; expected one of them",
    ],
    [
      "a folder of recordings elsewhere",
      { RECORD: "/tmp/recordings" },
      'RECORD is "/tmp/recordings"; expected recordings, or a folder in it: the server may write nowhere else',
    ],
    [
      "a folder of recordings that leads elsewhere",
      { RECORD: "recordings/../src" },
      'RECORD is "recordings/../src"; expected recordings, or a folder in it: the server may write nowhere else',
    ],
    [
      "an origin with a path",
      { CORS_ORIGINS: "https://a.example/app" },
      'CORS_ORIGINS is "https://a.example/app"; expected origins such as https://app.example.com, with commas between',
    ],
    [
      "a key, without showing it",
      { OPENAI_API_KEY: "sk-1 23" },
      "OPENAI_API_KEY is not valid; expected a key without spaces or line breaks",
    ],
  ];
  for (const [what, env, expected] of wrong) {
    it(`says what is wrong with ${what}`, () => assertEquals(problemsOf(env), [expected]));
  }

  it("reports every problem at once", () => {
    const problems = problemsOf({ PORT: "x", LLM: "x", LIVEKIT_URL: "ws://x", ENDPOINTING_MAX_MS: "1" });
    assertEquals(problems.map((line) => line.split(" ")[0]), [
      "LLM",
      "PORT",
      "LIVEKIT_API_KEY",
      "ENDPOINTING_MIN_MS",
    ]);
  });

  for (
    const [env, stt, llm, tts] of [
      [{ OPENAI_API_KEY: "k" }, "openai/gpt-4o-transcribe", "openai/gpt-4o-mini", "openai/gpt-4o-mini-tts"],
      [{ DEEPGRAM_API_KEY: "k" }, "deepgram/nova-3", "demo/rules", "deepgram/aura-2-thalia-en"],
      [
        { ELEVENLABS_API_KEY: "k" },
        "elevenlabs/scribe_v2_realtime",
        "demo/rules",
        "elevenlabs/eleven_turbo_v2_5",
      ],
      [
        { CARTESIA_API_KEY: "k", DEEPGRAM_API_KEY: "k" },
        "deepgram/nova-3",
        "demo/rules",
        "cartesia/sonic-3",
      ],
      [
        { ELEVENLABS_API_KEY: "k", DEEPGRAM_API_KEY: "k" },
        "deepgram/nova-3",
        "demo/rules",
        "elevenlabs/eleven_turbo_v2_5",
      ],
      [
        { OPENAI_API_KEY: "k", DEEPGRAM_API_KEY: "k" },
        "deepgram/nova-3",
        "openai/gpt-4o-mini",
        "deepgram/aura-2-thalia-en",
      ],
      [
        { OPENAI_API_KEY: "k", TTS: "flite/slt" },
        "openai/gpt-4o-transcribe",
        "openai/gpt-4o-mini",
        "flite/slt",
      ],
    ] as const
  ) {
    it(`takes the models that ${Object.keys(env).join(" and ")} allow`, () => {
      assertEquals(loadConfig(env).models, { stt, llm, tts });
    });
  }

  it("says what will not work", () => {
    assertEquals(warningsFor(loadConfig({})), [
      "LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set: agents talk on the page only.",
      "Speech is recognized by your browser's own speech recognition, where it has one. " +
      "Set DEEPGRAM_API_KEY, OPENAI_API_KEY or ELEVENLABS_API_KEY to recognize speech on the server.",
      "Answers come from a demo of fixed rules (simulated). Set OPENAI_API_KEY for a real language model.",
      "The voice is Flite, on this machine. Set ELEVENLABS_API_KEY, CARTESIA_API_KEY, DEEPGRAM_API_KEY or OPENAI_API_KEY for a natural voice.",
    ]);
    const unkeyed = { ...livekit, STT: "deepgram/nova-3", LLM: "openai/x", TTS: "deepgram/aura-2-x" };
    assertEquals(warningsFor(loadConfig(unkeyed)), [
      "OPENAI_API_KEY is not set: openai/x cannot be used.",
      "DEEPGRAM_API_KEY is not set: deepgram/nova-3 and deepgram/aura-2-x cannot be used.",
    ]);
    const every = {
      ...livekit,
      STT: "assemblyai/universal-streaming,elevenlabs/scribe_v2_realtime",
      LLM: "openai-responses/x|anthropic/x,google/x,compatible/openai/x",
      TTS: "cartesia/sonic-3",
    };
    assertEquals(warningsFor(loadConfig(every)), [
      "OPENAI_API_KEY is not set: openai-responses/x cannot be used.",
      "ELEVENLABS_API_KEY is not set: elevenlabs/scribe_v2_realtime cannot be used.",
      "ASSEMBLYAI_API_KEY is not set: assemblyai/universal-streaming cannot be used.",
      "ANTHROPIC_API_KEY is not set: anthropic/x cannot be used.",
      "GOOGLE_API_KEY is not set: google/x cannot be used.",
      "COMPATIBLE_API_KEY is not set: compatible/openai/x cannot be used.",
      "CARTESIA_API_KEY is not set: cartesia/sonic-3 cannot be used.",
    ]);
    const keys = { ...livekit, OPENAI_API_KEY: "k", STT: "other/x", TTS: "openai/tts" };
    assertEquals(warningsFor(loadConfig(keys)), []);
  });

  it("knows which of its values are secrets", () => {
    const names = Object.keys(environment.shape).filter((name) => /_(KEY|SECRET|PASSWORD)$/.test(name));
    const values = { LIVEKIT_API_KEY: "public", REPORT_WEBHOOK_SECRET: reportSecret };
    const env = { ...Object.fromEntries(names.map((name) => [name, `a-${name}`])), ...values };
    const config = loadConfig({
      ...env,
      LIVEKIT_URL: "wss://x",
      REPORT_WEBHOOK_URL: "https://x",
      PLAYGROUND: "1",
      REDIS_URL: "redis://:a%20password@x",
    });
    const secrets = [...Object.values(env).filter((value) => value !== "public"), "a password"];
    assertEquals(secretsIn(config).toSorted(), secrets.toSorted());
    assertEquals(secretsIn(loadConfig({})), []);
  });

  it("logs more where agents are being written", () => {
    assertEquals([loadConfig({ DEV: "1" }).logLevel, loadConfig({}).logLevel], ["debug", "info"]);
  });

  it("has an example file with every variable, which is valid as it is", async () => {
    const example = parseEnv(await Deno.readTextFile(new URL("../.env.example", import.meta.url)));
    assertEquals(Object.keys(example).toSorted(), Object.keys(environment.shape).toSorted());
    assertEquals(loadConfig(example).models, loadConfig({}).models);
  });
});

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
  }
  assertThrows(() => loadConfig(env), /a ConfigError/);
  return [];
}
