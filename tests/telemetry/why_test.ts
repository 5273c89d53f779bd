import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { ReplyLatency, SessionEvent, SessionEventBody } from "../../src/events.ts";
import { gapsOf } from "../../src/telemetry/why.ts";
import { startCall, talk, timeToClose } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { scriptedLanguageModel } from "../fakes/providers.ts";

type Step = readonly [atMs: number, event: SessionEventBody];

const commit = (waitedMs: number, turnId = "turn-1"): SessionEventBody => ({
  type: "user-speech-committed",
  turnId,
  text: "hello",
  waitedMs,
});
const ended = (
  outcome: "superseded" | "failed" | "declined" | "answered",
  turnId = "turn-1",
): SessionEventBody => ({
  type: "turn-ended",
  turnId,
  outcome,
});
const started = (replyId: string, latency: ReplyLatency): SessionEventBody => ({
  type: "agent-started-speaking",
  replyId,
  latency,
});
const own = (llmMs: number, ttsMs: number) => ({
  llmMs,
  clauseMs: 0,
  ttsMs,
  playoutMs: 0,
  totalMs: llmMs + ttsMs,
});
const failure = (stage: "llm" | "stt"): SessionEventBody => ({
  type: "error",
  error: new StageError(stage, "sk-never-shown"),
});

const called = (...names: string[]): SessionEventBody => ({
  type: "tools-called",
  replyId: "turn-1",
  calls: names.map((name) => ({ id: `${name}-id`, name, arguments: {} })),
});
const finished = (outcome: "done" | "running", ...names: string[]): SessionEventBody => ({
  type: "tools-finished",
  replyId: "turn-1",
  results: names.map((name) => ({ callId: `${name}-id`, name, outcome, content: "" })),
});

const cases: Record<string, { steps: Step[]; expected: string[] }> = {
  "an answer's parts follow each other from the last voiced sample": {
    steps: [[5_500, commit(500)], [
      7_790,
      started("turn-1", { endpointingMs: 500, sttMs: 140, ...own(2_200, 90), totalMs: 2_790 }),
    ]],
    expected: [
      "turn-1 at 5000 for 2790: waited 500 ms for the end of the turn; first token after 2,200 ms; first audio after 90 ms",
    ],
  },
  "a tool's time is the tool's, not the model's": {
    steps: [
      [5_500, commit(500)],
      [5_800, called("getWeather", "getTime")],
      [7_300, finished("done", "getWeather", "getTime")],
      [7_500, called("getWeather")],
      [8_000, finished("running", "getWeather")],
      [8_400, called("sendMail")],
      [8_500, finished("done", "getWeather")], // what was not waited for
      [8_600, finished("done", "sendMail")],
      [9_000, started("turn-1", { endpointingMs: 500, ...own(3_400, 100), totalMs: 4_000 })],
    ],
    expected: [
      "turn-1 at 5000 for 4000: waited 500 ms for the end of the turn; " +
      "getWeather and getTime called after 300 ms; getWeather and getTime took 1,500 ms; " +
      "getWeather called after 200 ms; getWeather took 500 ms; " +
      "sendMail called after 400 ms; sendMail took 200 ms; first token after 300 ms; first audio after 100 ms",
    ],
  },
  "an answer within a second needs no reason": {
    steps: [[5_350, commit(350)], [5_900, started("turn-1", { ...own(400, 150) })]],
    expected: [],
  },
  "a slow recognizer is a cause of its own": {
    steps: [[5_000, commit(2_500)], [
      5_100,
      started("turn-1", { endpointingMs: 2_500, sttMs: 2_100, ...own(60, 40), totalMs: 2_600 }),
    ]],
    expected: [
      "turn-1 at 2500 for 2600: final transcript after 2,100 ms; waited 400 ms for the end of the turn; " +
      "first token after 60 ms; first audio after 40 ms",
    ],
  },
  "what was kept back": {
    steps: [[5_500, commit(500)], [
      6_800,
      started("turn-1", { endpointingMs: 500, heldMs: 800.4, ...own(300, 199.6), totalMs: 1_800 }),
    ]],
    expected: [
      "turn-1 at 5000 for 1800: waited 500 ms for the end of the turn; kept back for 800 ms because somebody seemed to " +
      "speak; first token after 300 ms; first audio after 200 ms",
    ],
  },
  "what another agent took before": {
    steps: [
      [5_500, commit(500)],
      [6_000, called("sales")],
      [6_100, finished("done", "sales")],
      [8_000, {
        ...started("reply-1", { endpointingMs: 500, heldMs: 700, ...own(1_700, 100), totalMs: 3_000 }),
        turnId: "turn-1",
      } as SessionEventBody],
    ],
    expected: [
      "reply-1 at 5000 for 3000: waited 500 ms for the end of the turn; sales called after 500 ms; sales took 100 ms; " +
      "another agent took over after 100 ms; first token after 1,700 ms; first audio after 100 ms",
    ],
  },
  "a failed answer, and the line that stood in for it": {
    steps: [
      [5_500, commit(500)],
      [13_500, ended("failed")],
      [13_500, failure("llm")],
      [13_600, started("apology-1", own(0, 80))],
    ],
    expected: [
      "apology-1 at 5000 for 8600: waited 500 ms for the end of the turn; the language model had failed after 8,000 ms; " +
      "waited 20 ms for its turn in line; first audio after 80 ms",
    ],
  },
  "a turn that was superseded counts from the words that came last": {
    steps: [
      [5_500, commit(500)],
      [6_000, ended("superseded")],
      [8_000, commit(400, "turn-2")],
      [9_000, started("turn-2", { endpointingMs: 400, ...own(900, 100), totalMs: 1_400 })],
    ],
    expected: [
      "turn-2 at 7600 for 1400: waited 400 ms for the end of the turn; first token after 900 ms; first audio after 100 ms",
    ],
  },
  "a recognizer that is down": {
    steps: [
      [4_000, failure("stt")],
      [5_000, { type: "user-stopped-speaking", silentMs: 400 }],
      [7_180, started("apology-1", own(0, 80))],
    ],
    expected: [
      "apology-1 at 4600 for 2580: the recognizer brought no words for 2,500 ms; first audio after 80 ms",
    ],
  },
  "nobody owes an answer to a cough, to what was declined, or for a greeting": {
    steps: [
      [100, started("say-1", own(0, 3_000))],
      [5_000, { type: "user-stopped-speaking", silentMs: 400 }],
      [9_000, started("say-2", own(0, 80))],
      [12_000, commit(500)],
      [12_000, ended("declined")],
      [15_000, started("say-3", own(0, 80))],
    ],
    expected: [],
  },
  "a silence inside a reply": {
    steps: [
      [9_000, {
        type: "speech-gap",
        replyId: "turn-1",
        gap: { ms: 1_890, heldMs: 0, llmMs: 1_800, ttsMs: 90, playoutMs: 0 },
      }],
      [9_500, {
        type: "speech-gap",
        replyId: "turn-1",
        gap: { ms: 500, heldMs: 500, llmMs: 0, ttsMs: 0, playoutMs: 0 },
      }],
    ],
    expected: ["turn-1 at 7110 for 1890: no more words for 1,800 ms; audio of them after 90 ms"],
  },
  "a tool inside a reply, which was called while it was still heard": {
    steps: [
      [6_000, called("getWeather")],
      [8_500, finished("done", "getWeather")],
      [9_000, {
        type: "speech-gap",
        replyId: "turn-1",
        gap: { ms: 2_000, heldMs: 0, llmMs: 1_900, ttsMs: 100, playoutMs: 0 },
      }],
    ],
    expected: [
      "turn-1 at 7000 for 2000: getWeather took 1,500 ms; no more words for 400 ms; audio of them after 100 ms",
    ],
  },
};

describe("why it was silent", () => {
  for (const [name, { steps, expected }] of Object.entries(cases)) {
    it(name, () => {
      const gaps = gapsOf(steps.map(([atMs, event]): SessionEvent => ({ ...event, atMs })));
      assertEquals(
        gaps.map(({ replyId, atMs, ms, words }) => `${replyId} at ${atMs} for ${ms}: ${words}`),
        expected,
      );
      for (const { ms, parts } of gaps) assertEquals(parts.reduce((sum, part) => sum + part.ms, 0), ms);
    });
  }

  it("explains a whole call: the parts sum to what was measured at the room", async () => {
    const clock = fakeClock();
    const llm = scriptedLanguageModel([{ text: "Good day.", ttftMs: 2_200, tokenMs: 20 }], clock);
    const call = startCall({}, { clock, providers: { llm } });
    const events = Array.fromAsync(call.session.events());
    call.room.enter("caller");
    await talk(call, 6_000);
    await timeToClose(call);
    const [gap, ...more] = gapsOf(await events);
    const silentMs = (call.room.played[0]?.fromMs ?? 0) - 1_000; // the user's last voiced sample is at 1 s
    assert(gap && Math.abs(gap.ms - silentMs) <= 20, `${gap?.ms} of ${silentMs} ms`);
    assertEquals(gap.parts[0]?.words, "waited 350 ms for the end of the turn");
    assertEquals(more, []);
  });
});
