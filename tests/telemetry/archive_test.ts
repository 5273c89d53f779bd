import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { ReplyLatency, SessionEventBody } from "../../src/events.ts";
import { type ArchiveOptions, createArchive } from "../../src/telemetry/archive.ts";
import type { SessionFacts } from "../../src/telemetry/facts.ts";
import { reportSums, type SessionReport, sessionReport } from "../../src/telemetry/report.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const ttlMs = 60_000;

function setUp(options: Partial<ArchiveOptions> = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const reports: SessionReport[] = [];
  const archive = createArchive({ ttlMs, onEnd: (report) => reports.push(report), clock, log, ...options });
  const { start, started } = fakeSessions();
  /** A session that is followed, and what lets things happen in it. */
  const begin = (id: string, room = "r", participant?: string, before?: SessionFacts["before"]) => {
    start({
      id,
      agentName: "support",
      agent: { instructions: "" },
      roomName: room,
      roomSid: "RM",
      metadata: "",
    });
    const session = started.at(-1)!;
    session.arrive();
    archive.follow(session.session, {
      sessionId: id,
      room,
      roomSid: `RM_${room}`,
      agent: "support",
      metadata: "",
      ...(participant !== undefined && { participant }),
      ...(before && { before }),
    });
    const happens = async (...events: SessionEventBody[]) => {
      for (const event of events) session.emit({ ...event, atMs: clock.now() });
      await clock.settle();
    };
    const end = async (reason: "closed" | "participant-left" = "participant-left") => {
      session.end(reason);
      await clock.settle();
    };
    return { ...session, happens, end };
  };
  const reportOf = (id: string) => archive.find(id)!.report();
  return { archive, clock, log, reports, begin, reportOf };
}

const committed = (turnId: string, text = "Hello?") =>
  ({ type: "user-speech-committed", turnId, text }) as const;
const latency: ReplyLatency = { endpointingMs: 350, llmMs: 100, totalMs: 500 };

describe("the archive of sessions", () => {
  it("reports a session as it goes: who, where, and an open turn as open", async () => {
    const { begin, reportOf, clock } = setUp();
    const { happens, history } = begin("s1", "r", "caller-1");
    await clock.advance(1_000);
    history.push({ id: "item-1", role: "user", text: "Hello?", interrupted: false, atMs: 900 });
    await happens(committed("turn-1"));
    const { startedAt, ...report } = reportOf("s1");
    assertMatch(startedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assertEquals(report, {
      sessionId: "s1",
      room: "r",
      roomSid: "RM_r",
      agent: "support",
      participant: "caller-1",
      state: "listening",
      durationMs: 1_000,
      transcript: [{ id: "item-1", role: "user", text: "Hello?", interrupted: false, atMs: 900 }],
      turns: [{ turnId: "turn-1", text: "Hello?", atMs: 1_000, outcome: "open" }],
      interruptions: 0,
      falseInterruptions: 0,
      stalls: 0,
      resumed: 0,
      handoffs: [],
      speculation: { prepared: 0, kept: 0, wasted: { inputTokens: 0, outputTokens: 0 } },
      usage: [],
      cost: { currency: "USD", total: 0, unpriced: [] },
      errors: [],
      droppedEvents: 0,
    });
  });

  it("reports a session that goes on here from where its process was", async () => {
    const gone = setUp();
    const first = gone.begin("s1");
    const usage = {
      stage: "tts",
      provider: "p",
      model: "m",
      characters: 5,
      audioMs: 100,
      costUsd: 1,
    } as const;
    await first.happens(committed("turn-1", "One."), { type: "usage", usage });
    await first.happens(
      { type: "turn-ended", turnId: "turn-1", outcome: "answered" },
      committed("turn-2", "Two."),
    );
    const sums = reportSums.parse(JSON.parse(JSON.stringify(gone.archive.find("s1")!.sums())));

    const { begin, reportOf } = setUp();
    const { happens } = begin("s1", "r", undefined, { elapsedMs: 60_000, sums });
    await happens({ type: "resumed", after: "fault" }, { type: "usage", usage });
    await happens({ type: "turn-ended", turnId: "turn-2", outcome: "answered" });
    const report = reportOf("s1");
    assertEquals(report.turns.map(({ turnId, outcome }) => `${turnId} ${outcome}`), [
      "turn-1 answered",
      "turn-2 answered",
    ]);
    assertEquals([report.resumed, report.cost.total, report.usage.length, report.durationMs], [
      1,
      2,
      1,
      60_000,
    ]);
  });

  it("reports who handed over, and the turn that was answered by the next agent", async () => {
    const { begin, reportOf, clock } = setUp();
    const { happens } = begin("s1");
    await happens(committed("turn-1", "One."));
    await clock.advance(500);
    await happens({ type: "handoff", from: "front", to: "sales", replyId: "turn-1" });
    await happens({ type: "agent-started-speaking", replyId: "say-1", turnId: "turn-1", latency });
    assertEquals(reportOf("s1").handoffs, [{ from: "front", to: "sales", atMs: 500 }]);
    assertEquals(reportOf("s1").turns[0]?.latency, latency);
  });

  it("reports each turn with its outcome and where its time went", async () => {
    const { begin, reportOf, clock } = setUp();
    const { happens } = begin("s1");
    await happens(committed("turn-1", "One."));
    await happens({ type: "agent-started-speaking", replyId: "say-1", latency: { totalMs: 1 } });
    await happens({ type: "agent-started-speaking", replyId: "turn-1", latency });
    await clock.advance(2_000);
    await happens(
      { type: "turn-ended", turnId: "turn-1", outcome: "interrupted" },
      committed("turn-2", "Two."),
    );
    await happens({ type: "turn-ended", turnId: "turn-2", outcome: "declined" });
    assertEquals(reportOf("s1").turns, [
      { turnId: "turn-1", text: "One.", atMs: 0, outcome: "interrupted", endedAtMs: 2_000, latency },
      { turnId: "turn-2", text: "Two.", atMs: 2_000, outcome: "declined", endedAtMs: 2_000 },
    ]);
  });

  it("counts interruptions, and sums up usage by stage, provider and model", async () => {
    const { begin, reportOf } = setUp();
    const { happens } = begin("s1");
    const heard = (interrupted: boolean) =>
      ({ type: "agent-speech-committed", replyId: "r", text: "Hi", interrupted }) as const;
    await happens(heard(true), heard(false), { type: "false-interruption", replyId: "r" });
    const llm = { stage: "llm", provider: "openai", model: "gpt-4o" } as const;
    const tts = { stage: "tts", provider: "deepgram", model: "aura" } as const;
    await happens(
      { type: "usage", usage: { stage: "stt", provider: "deepgram", model: "nova-3", audioMs: 10_000 } },
      { type: "usage", usage: { ...llm, inputTokens: 10, outputTokens: 2, costUsd: 0.5 } },
      { type: "usage", usage: { ...llm, inputTokens: 0, outputTokens: 0, uncounted: true, costUsd: 0.25 } },
      { type: "usage", usage: { ...llm, model: "gpt-4o-mini", inputTokens: 1, outputTokens: 1 } },
      { type: "usage", usage: { stage: "stt", provider: "deepgram", model: "nova-3", audioMs: 500 } },
      { type: "usage", usage: { ...tts, characters: 40, audioMs: 2_000 } },
      { type: "usage", usage: { ...tts, characters: 2, audioMs: 100 } },
      { type: "usage", usage: { ...llm, inputTokens: 5, outputTokens: 5, cachedInputTokens: 4, costUsd: 1 } },
    );
    const { interruptions, falseInterruptions, usage, cost } = reportOf("s1");
    assertEquals([interruptions, falseInterruptions], [1, 1]);
    assertEquals(usage, [
      { stage: "stt", provider: "deepgram", model: "nova-3", audioMs: 10_500 },
      {
        ...llm,
        costUsd: 1.75,
        requests: 3,
        uncounted: 1,
        inputTokens: 15,
        cachedInputTokens: 4,
        outputTokens: 7,
      },
      {
        ...llm,
        model: "gpt-4o-mini",
        requests: 1,
        uncounted: 0,
        inputTokens: 1,
        cachedInputTokens: 0,
        outputTokens: 1,
      },
      { ...tts, requests: 2, characters: 42, audioMs: 2_100 },
    ]);
    const unpriced = [
      "deepgram/nova-3",
      `${llm.provider}/gpt-4o-mini`,
      `${tts.provider}/${tts.model}`,
    ];
    assertEquals(cost, { currency: "USD", total: 1.75, unpriced });
  });

  it("sums up what was prepared in vain, and counts what got no further", async () => {
    const { begin, reportOf } = setUp();
    const { happens } = begin("s1");
    const speculation = { type: "speculation", turnId: "turn-1", prepared: 2, kept: true } as const;
    await happens(
      { ...speculation, wasted: { inputTokens: 50, outputTokens: 4 } },
      { ...speculation, prepared: 1, kept: false, wasted: { inputTokens: 60, outputTokens: 0 } },
      { type: "stall-recovered", replyId: "turn-1", stage: "llm", waitedMs: 8_000 },
    );
    const { stalls, speculation: sum } = reportOf("s1");
    assertEquals(sum, { prepared: 3, kept: 1, wasted: { inputTokens: 110, outputTokens: 4 } });
    assertEquals(stalls, 1);
  });

  it("logs what goes wrong while a session is followed, and finishes its record all the same", async () => {
    const { archive, begin, log, reports } = setUp();
    const { happens, end } = begin("s1");
    await happens({ type: "error", error: undefined as unknown as StageError });
    await end();
    assertEquals(log.lines.map(({ level, fields }) => [level, fields.sessionId]), [["error", "s1"]]);
    assertEquals([archive.find("s1")?.ended, reports.length], [true, 1]);
  });

  it("tells of errors the stage, the provider and the time, and no secret, in the report and in the events", async () => {
    const { archive, begin, reportOf } = setUp({ secrets: ["devsecret"] });
    const { happens, end } = begin("s1");
    const error = new StageError("llm", "refused: devsecret", {
      retryable: true,
      cause: new Error("devsecret!"),
    });
    await happens({ type: "error", error, provider: "openai" });
    await end();
    const told = { stage: "llm", provider: "openai", message: "refused: (hidden)", retryable: true, atMs: 0 };
    assertEquals(reportOf("s1").errors, [told]);
    const events = await Array.fromAsync(archive.find("s1")!.events());
    assert(!Deno.inspect(events, { depth: 10 }).includes("devsecret"));
  });

  it("keeps the last 100 errors", async () => {
    const { begin, reportOf } = setUp();
    const { happens } = begin("s1");
    for (let i = 0; i < 150; i++) await happens({ type: "error", error: new StageError("tts", `no. ${i}`) });
    const { errors } = reportOf("s1");
    assertEquals([errors.length, errors[0]?.message, errors.at(-1)?.message], [100, "no. 50", "no. 149"]);
  });

  it("finishes the report at the end, tells it once, and ends the events after the last", async () => {
    const { archive, begin, reports, reportOf, clock } = setUp();
    const { happens, end, history } = begin("s1");
    history.push({ id: "item-1", role: "user", text: "Hello?", interrupted: false, atMs: 0 });
    await happens(committed("turn-1"));
    const events = Array.fromAsync(archive.find("s1")!.events());
    await clock.advance(3_000);
    await end();
    assertEquals((await events).map(({ id, event }) => [id, event.type]), [
      [1, "user-speech-committed"],
      [2, "closed"],
    ]);
    const report = reportOf("s1");
    assertEquals([report.state, report.closeReason, report.durationMs], [
      "closed",
      "participant-left",
      3_000,
    ]);
    assertEquals([report.turns[0]?.outcome, report.transcript[0]?.text], ["open", "Hello?"]);
    assert(report.endedAt);
    await clock.advance(1_000);
    assertEquals(reportOf("s1"), report);
    assertEquals(reports, [report]);
    await archive.idle();
    assertEquals(archive.find("s1")?.session, undefined, "what the session held is kept");
  });

  it("gives reports of the shape that its schema says", async () => {
    const { begin, reportOf } = setUp();
    const { happens, end } = begin("s1", "r", "caller-1");
    await happens(committed("turn-1"), { type: "agent-started-speaking", replyId: "turn-1", latency });
    await happens({ type: "error", error: new StageError("turn", "odd") });
    await end();
    assertEquals(sessionReport.strict().parse(reportOf("s1")), reportOf("s1"));
  });

  it("lists sessions by room in the order in which they began, and finds them by id", async () => {
    const { archive, begin } = setUp();
    const first = begin("s1", "r");
    begin("s2", "other");
    begin("s3", "r");
    await first.end();
    const ids = (room?: string) => archive.list(room).map(({ facts }) => facts.sessionId);
    assertEquals([ids("r"), ids("other"), ids("none"), ids()], [["s1", "s3"], ["s2"], [], [
      "s1",
      "s2",
      "s3",
    ]]);
    assertEquals([archive.find("s1")?.ended, archive.find("s3")?.ended], [true, false]);
    assertEquals(archive.find("s4"), undefined);
  });

  it("forgets each session when its time is over, and leaves no timer behind", async () => {
    const { archive, begin, clock } = setUp();
    const [a, b] = [begin("a"), begin("b")];
    begin("c");
    await a.end();
    await clock.advance(20_000);
    await b.end();
    const kept = () => archive.list().map(({ facts }) => facts.sessionId);
    await clock.advance(39_999);
    assertEquals(kept(), ["a", "b", "c"]);
    await clock.advance(1);
    assertEquals(kept(), ["b", "c"]);
    await clock.advance(20_000);
    assertEquals([kept(), clock.pending], [["c"], 0]);
  });

  it("keeps nothing of a session that has ended when REPORT_TTL is 0, and still tells its report", async () => {
    const { archive, begin, reports } = setUp({ ttlMs: 0 });
    await begin("s1").end();
    assertEquals([archive.find("s1"), reports.length], [undefined, 1]);
  });

  it("waits no longer than a timer can", async () => {
    const clock = fakeClock();
    const waits: number[] = [];
    const after: typeof clock.after = (ms, callback) => {
      waits.push(ms);
      return clock.after(ms, callback);
    };
    const { archive, begin } = setUp({ ttlMs: 2 ** 31 + 1_000, clock: { ...clock, after } });
    await begin("s1").end();
    await clock.advance(2 ** 31 - 1);
    assert(archive.find("s1"));
    await clock.advance(1_001);
    assertEquals([archive.find("s1"), clock.pending], [undefined, 0]);
    assertEquals(waits, [2 ** 31 - 1, 1_001]);
  });

  it("keeps no more than so many that have ended, however many there are that go on", async () => {
    const { archive, begin } = setUp({ maxEnded: 2 });
    const sessions = ["a", "b", "c", "d"].map((id) => begin(id));
    for (const { end } of sessions.slice(0, 3)) await end();
    assertEquals(archive.list().map(({ facts }) => facts.sessionId), ["b", "c", "d"]);
    archive[Symbol.dispose]();
  });

  it("keeps no more than so many events of each, and says how many it lost", async () => {
    const { archive, begin, reportOf } = setUp({ maxEvents: 3 });
    const { happens } = begin("s1");
    for (let i = 0; i < 5; i++) await happens({ type: "user-started-speaking" });
    assertEquals(reportOf("s1").droppedEvents, 2);
    const reader = archive.find("s1")!.events().getReader();
    assertEquals((await reader.read()).value?.id, 3);
    await reader.cancel();
  });

  it("logs what goes wrong with one record, and follows the others", async () => {
    const { archive, begin, log, clock } = setUp({
      onEnd: ({ sessionId }) => {
        if (sessionId === "a") throw new Error("no");
      },
    });
    const [a, b] = [begin("a"), begin("b")];
    await a.end();
    await b.end();
    await archive.idle();
    assertEquals(log.lines.map(({ level, fields }) => [level, fields.sessionId]), [["error", "a"]]);
    assertEquals(archive.list().length, 2);
    await clock.advance(ttlMs);
    assertEquals(archive.list(), []);
  });
});
