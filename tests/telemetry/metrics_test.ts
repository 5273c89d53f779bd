import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { clockFrom } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { SessionEventBody } from "../../src/events.ts";
import { createMetrics, type Metrics, togetherText } from "../../src/telemetry/metrics.ts";
import { measureLag } from "../../src/telemetry/process_metrics.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeSessions } from "../fakes/session.ts";

/** Metrics, and a session of the agent "assistant" that they follow. */
function setUp() {
  const clock = fakeClock();
  const metrics = createMetrics({ clock });
  const { started, start } = fakeSessions();
  const begin = (agent = "assistant") => {
    start({
      id: "session_1",
      agentName: agent,
      agent: { instructions: "Be brief." },
      roomName: "secret-room",
      roomSid: "RM_secret",
      metadata: "",
    });
    const fake = started.at(-1);
    assert(fake);
    metrics.follow(fake.session, { agent });
    return fake;
  };
  return { clock, metrics, begin, [Symbol.dispose]: () => metrics[Symbol.dispose]() };
}

/** The samples of a metric, by its labels as they are written; those of a histogram without its buckets. */
async function samples(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of (await metrics.text()).split("\n")) {
    const [, sample = "", labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (sample === name) found[labels] = Number(value);
  }
  return found;
}

describe("metrics of sessions", () => {
  it("count those that run, begin and end, and how long they last", async () => {
    using set = setUp();
    const { metrics, begin, clock } = set;
    const first = begin();
    begin("support");
    await clock.advance(42_000);
    assertEquals(await samples(metrics, "repartee_sessions"), {
      'agent="assistant"': 1,
      'agent="support"': 1,
    });
    first.end("participant-left");
    await clock.settle();
    assertEquals(await samples(metrics, "repartee_sessions"), {
      'agent="assistant"': 0,
      'agent="support"': 1,
    });
    assertEquals(await samples(metrics, "repartee_sessions_started_total"), {
      'agent="assistant"': 1,
      'agent="support"': 1,
    });
    assertEquals(await samples(metrics, "repartee_sessions_ended_total"), {
      'agent="assistant",reason="participant-left"': 1,
    });
    assertEquals(await samples(metrics, "repartee_session_duration_seconds_sum"), {
      'agent="assistant"': 42,
    });
  });

  const agent = 'agent="assistant"';
  const model = 'provider="openai",model="gpt-4o"';
  const cases: [what: string, event: SessionEventBody, expected: Record<string, Record<string, number>>][] = [
    ["a turn's end", { type: "turn-ended", turnId: "t", outcome: "answered" }, {
      repartee_turns_total: { [`${agent},outcome="answered"`]: 1 },
    }],
    ["where the time of an answer went", {
      type: "agent-started-speaking",
      replyId: "r",
      latency: {
        endpointingMs: 350,
        heldMs: 100,
        sttMs: 40,
        llmMs: 0,
        clauseMs: 5,
        ttsMs: 80,
        playoutMs: 1,
        totalMs: 536,
      },
    }, {
      repartee_reply_latency_seconds_sum: {
        [`${agent},stage="endpointing"`]: 0.35,
        [`${agent},stage="held"`]: 0.1,
        [`${agent},stage="stt"`]: 0.04,
        [`${agent},stage="llm"`]: 0,
        [`${agent},stage="clause"`]: 0.005,
        [`${agent},stage="tts"`]: 0.08,
        [`${agent},stage="playout"`]: 0.001,
        [`${agent},stage="total"`]: 0.536,
      },
    }],
    ["only the stages that took part", {
      type: "agent-started-speaking",
      replyId: "r",
      latency: { ttsMs: 80, totalMs: 80 },
    }, {
      repartee_reply_latency_seconds_count: { [`${agent},stage="tts"`]: 1, [`${agent},stage="total"`]: 1 },
    }],
    ["a reply that was cut off", {
      type: "agent-speech-committed",
      replyId: "r",
      text: "a secret",
      interrupted: true,
    }, { repartee_interruptions_total: { [agent]: 1 } }],
    ["one that was heard to its end", {
      type: "agent-speech-committed",
      replyId: "r",
      text: "a secret",
      interrupted: false,
    }, { repartee_interruptions_total: {} }],
    ["a false interruption", { type: "false-interruption", replyId: "r" }, {
      repartee_false_interruptions_total: { [agent]: 1 },
    }],
    ["a silence inside a reply", {
      type: "speech-gap",
      replyId: "r",
      gap: { ms: 700, heldMs: 0, llmMs: 0, ttsMs: 700, playoutMs: 0 },
    }, { repartee_speech_gap_seconds_sum: { [agent]: 0.7 } }],
    ["what got no further", { type: "stall-recovered", replyId: "r", stage: "llm", waitedMs: 8_000 }, {
      repartee_stalls_total: { 'stage="llm"': 1 },
    }],
    ["a microphone that was not taken in", { type: "microphone-dropped", ms: 1_250 }, {
      repartee_microphone_dropped_seconds_total: { [agent]: 1.25 },
    }],
    ["a provider's failure", { type: "error", error: new StageError("stt", "no"), provider: "deepgram" }, {
      repartee_errors_total: { 'stage="stt",provider="deepgram"': 1 },
    }],
    ["a failure of nobody's", { type: "error", error: new StageError("agent", "no") }, {
      repartee_errors_total: { 'stage="agent",provider="none"': 1 },
    }],
    ["a recognizer's usage", {
      type: "usage",
      usage: { stage: "stt", provider: "openai", model: "gpt-4o", audioMs: 2_500 },
    }, { repartee_stt_audio_seconds_total: { [model]: 2.5 } }],
    ["a model's usage", {
      type: "usage",
      usage: { stage: "llm", provider: "openai", model: "gpt-4o", inputTokens: 7, outputTokens: 3 },
    }, {
      repartee_llm_tokens_total: { [`${model},direction="input"`]: 7, [`${model},direction="output"`]: 3 },
      repartee_llm_requests_total: { [`${model},counted="yes"`]: 1 },
    }],
    ["a model's usage that nobody counted", {
      type: "usage",
      usage: {
        stage: "llm",
        provider: "openai",
        model: "gpt-4o",
        inputTokens: 0,
        outputTokens: 0,
        uncounted: true,
      },
    }, { repartee_llm_requests_total: { [`${model},counted="no"`]: 1 } }],
    ["a voice's usage", {
      type: "usage",
      usage: { stage: "tts", provider: "openai", model: "gpt-4o", characters: 12, audioMs: 900 },
    }, {
      repartee_tts_characters_total: { [model]: 12 },
      repartee_tts_audio_seconds_total: { [model]: 0.9 },
    }],
  ];
  for (const [what, event, expected] of cases) {
    it(`count ${what}`, async () => {
      using set = setUp();
      set.begin().emit({ ...event, atMs: 0 });
      await set.clock.settle();
      for (const [name, values] of Object.entries(expected)) {
        assertEquals(await samples(set.metrics, name), values);
      }
    });
  }

  it("hold no room, no session and no words, and have no more labels than a hundred of a kind", async () => {
    using set = setUp();
    const { metrics, begin, clock } = set;
    const fake = begin();
    fake.emit({ type: "user-transcript", text: "a secret", final: true, atMs: 0 });
    for (let n = 0; n < 150; n++) {
      const usage = { stage: "tts", provider: "p", model: `m${n}`, characters: 1, audioMs: 1 } as const;
      fake.emit({ type: "usage", usage, atMs: 0 });
    }
    await clock.settle();
    assert(!/secret|session_1/.test(await metrics.text()));
    const models = await samples(metrics, "repartee_tts_characters_total");
    assertEquals([Object.keys(models).length, models['provider="p",model="other"']], [101, 50]);
  });
});

describe("metrics of the server", () => {
  it("count dispatches that gave no session, by reason", async () => {
    using set = setUp();
    for (const type of ["created", "existing", "unknown-agent"] as const) set.metrics.dispatched({ type });
    for (const limit of ["memory", "lag", "memory"]) set.metrics.dispatched({ type: "full", limit });
    assertEquals(await samples(set.metrics, "repartee_dispatches_refused_total"), {
      'reason="unknown-agent",limit="none"': 1,
      'reason="full",limit="memory"': 2,
      'reason="full",limit="lag"': 1,
    });
  });

  it("count requests by route and status", async () => {
    using set = setUp();
    set.metrics.answered({ method: "GET", route: "/sessions/:id", status: 404, ms: 30 });
    const route = 'method="GET",route="/sessions/:id"';
    assertEquals(await samples(set.metrics, "repartee_http_requests_total"), {
      [`${route},status="404"`]: 1,
    });
    assertEquals(await samples(set.metrics, "repartee_http_request_duration_seconds_sum"), { [route]: 0.03 });
  });

  it("have counters for others, each name once, with values that are bounded", async () => {
    using set = setUp();
    const received = set.metrics.counter("webhooks_received", "Webhooks of LiveKit.", ["event"]);
    received({ event: "room_started" });
    received({ event: "room_started" }, 2);
    for (let n = 0; n < 120; n++) received({ event: `made-up-${n}` });
    const counts = await samples(set.metrics, "repartee_webhooks_received_total");
    assertEquals([counts['event="room_started"'], counts['event="other"']], [3, 21]);
    const dropped = set.metrics.counter("webhooks_dropped", "Dropped.");
    dropped({});
    assertEquals(await samples(set.metrics, "repartee_webhooks_dropped_total"), { "": 1 });
    assertThrows(() => set.metrics.counter("webhooks_received", "Again."), /already/);
  });

  it("tell of memory, processor, start and what it runs on, in base units", async () => {
    using set = setUp();
    const memory = await samples(set.metrics, "repartee_memory_bytes");
    assertEquals(Object.keys(memory), [
      'kind="rss"',
      'kind="heap_total"',
      'kind="heap_used"',
      'kind="external"',
    ]);
    assert((memory['kind="rss"'] ?? 0) > 10e6);
    const cpu = await samples(set.metrics, "repartee_cpu_seconds_total");
    const user = cpu['mode="user"'] ?? 0;
    assert(user > 0 && user < 3600, `${user} s`);
    const { "": startedAt = 0 } = await samples(set.metrics, "repartee_start_time_seconds");
    assert(Math.abs(startedAt - Date.now() / 1000) < 60);
    assertEquals(
      await samples(set.metrics, "repartee_build_info"),
      { [`deno="${Deno.version.deno}",v8="${Deno.version.v8}"`]: 1 },
    );
  });

  it("are another server's in another registry", async () => {
    using one = setUp();
    using other = setUp();
    one.metrics.dispatched({ type: "full" });
    assertEquals(await samples(other.metrics, "repartee_dispatches_refused_total"), {});
  });

  it("are in Prometheus' format: each metric has a type and words", async () => {
    using set = setUp();
    set.begin();
    const text = await set.metrics.text();
    assertEquals(set.metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
    const named = new Set(
      [...text.matchAll(/^# TYPE (repartee_\w+) (counter|gauge|histogram)$/gm)].map(([, n]) => n),
    );
    for (const line of text.split("\n").filter(Boolean)) {
      assertMatch(line, /^(# (HELP|TYPE) repartee_\w+ .+|repartee_\w+(\{.*\})? -?[\d.e+-]+)$/);
      if (line.startsWith("#")) continue;
      const [name = ""] = /^\w+/.exec(line) ?? [];
      assert(named.has(name) || named.has(name.replace(/_(bucket|sum|count)$/, "")), name);
    }
    assert(named.size > 15);
  });

  it("are summed up over processes, but for the greatest lag and what says how it is taken together", async () => {
    const processes = [1, 2].map((count) => {
      const { metrics } = setUp();
      metrics.counter("things", "Things.", ["kind"])({ kind: "a" }, count);
      metrics.gauge("weight", "Weight.", () => count);
      metrics.gauge("least", "The least.", () => count, "min");
      metrics.answered({ method: "GET", route: "/x", status: 200, ms: count });
      return metrics;
    });
    const text = await togetherText(await Promise.all(processes.map((metrics) => metrics.json())));
    const lines = text.split("\n");
    const together = [
      'things_total{kind="a"} 3',
      "weight 3",
      "least 1",
      'http_request_duration_seconds_count{method="GET",route="/x"} 2',
      'event_loop_lag_seconds{quantile="0.99"} 0',
      `build_info{deno="${Deno.version.deno}",v8="${Deno.version.v8}"} 1`,
    ];
    for (const line of together) assert(lines.includes(`repartee_${line}`), `${line}:\n${text}`);
    for (const metrics of processes) metrics[Symbol.dispose]();
  });

  it("leave no timer behind", () => {
    const clock = fakeClock();
    createMetrics({ clock })[Symbol.dispose]();
    assertEquals(clock.pending, 0);
  });
});

describe("measureLag", () => {
  it("tells how late timers come, of the last minute alone", () => {
    let nowMs = 0;
    let due: (() => void) | undefined;
    const clock = clockFrom(() => nowMs, (ms, callback) => {
      const at = nowMs + ms;
      due = () => (nowMs = Math.max(nowMs, at), callback());
      return () => due = undefined;
    });
    /** Lets the timer come `lateMs` late. */
    const tick = (lateMs: number) => {
      nowMs += 50 + lateMs;
      due?.();
    };
    using lag = measureLag(clock);
    assertEquals(lag.quantilesMs([0.5, 0.99, 1]), [0, 0, 0]);
    for (let n = 0; n < 97; n++) tick(1);
    tick(20);
    tick(30);
    tick(400);
    assertEquals(lag.quantilesMs([0.5, 0.99, 1]), [1, 30, 400]);
    for (let n = 0; n < 1_200; n++) tick(2);
    assertEquals(lag.quantilesMs([0.5, 0.99, 1]), [2, 2, 2]);
  });

  it("measures no more once disposed", async () => {
    const clock = fakeClock();
    const lag = measureLag(clock);
    await clock.advance(200);
    assertEquals(clock.pending, 1);
    lag[Symbol.dispose]();
    assertEquals(clock.pending, 0);
  });
});
