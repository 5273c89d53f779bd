import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { APIError } from "openai";
import { forwardEvents } from "../../src/dispatch/page_events.ts";
import { StageError } from "../../src/errors.ts";
import { openaiError } from "../../src/openai.ts";
import type { ServerMessage } from "../../src/room/browser/wire.ts";
import { socketError } from "../../src/socket.ts";
import type { VoiceSession } from "../../src/voice_session.ts";

/** What a page is told of `error`. */
async function told(error: StageError): Promise<string> {
  const events: VoiceSession["events"] = () =>
    ReadableStream.from([{ type: "error", error, atMs: 0 } as const]);
  const posted: ServerMessage[] = [];
  await forwardEvents({ events }, { post: (message) => void posted.push(message) });
  const [message] = posted;
  assertEquals([posted.length, message?.type], [1, "error"]);
  return message?.type === "error" ? message.text : "";
}

const answered = (status: number) =>
  openaiError("llm", new APIError(status, undefined, "sk-never-shown", new Headers()), { model: "gpt" });
const handshake = (status: number) => socketError("stt", "Deepgram", { type: "refused", status });

describe("what a page is told of a failure", () => {
  for (const status of [401, 403]) {
    it(`says that the key was refused: ${status}`, async () => {
      assertEquals(
        [await told(await answered(status)), await told(handshake(status))],
        [
          "The language model refused the server's key. Check the key, then start again.",
          "Speech recognition refused the server's key. Check the key, then start again.",
        ],
      );
    });
  }

  it("says no more of other failures than what failed", async () => {
    for (const error of [await answered(500), handshake(500), new StageError("tts", "sk-never-shown")]) {
      assertMatch(
        await told(error),
        /^(The language model|Speech recognition|The voice) failed\. The server's log says why\.$/,
      );
    }
  });
});

describe("what a page is told of a failure that is tried again", () => {
  it("is nothing: the call goes on", async () => {
    const error = new StageError("tts", "no");
    const events: VoiceSession["events"] = () =>
      ReadableStream.from([{ type: "error", error, retried: true, atMs: 0 } as const]);
    const posted: ServerMessage[] = [];
    await forwardEvents({ events }, { post: (message) => void posted.push(message) });
    assertEquals(posted, []);
  });
});

describe("what a page is told of a long silence", () => {
  it("is what it was spent on, once the reply is heard", async () => {
    const latency = {
      endpointingMs: 400,
      llmMs: 1_500,
      clauseMs: 0,
      ttsMs: 100,
      playoutMs: 0,
      totalMs: 2_000,
    };
    const events: VoiceSession["events"] = () =>
      ReadableStream.from([
        { type: "user-speech-committed", turnId: "turn-1", text: "Hi", waitedMs: 400, atMs: 1_000 },
        { type: "agent-started-speaking", replyId: "turn-1", latency, atMs: 2_600 },
      ]);
    const posted: ServerMessage[] = [];
    await forwardEvents({ events }, { post: (message) => void posted.push(message) });
    assertEquals(posted.map(({ type }) => type), ["latency", "why"]);
    const [, why] = posted;
    assertEquals(why?.type === "why" && [why.id, why.inside, why.ms, why.parts.map(({ words }) => words)], [
      "turn-1",
      false,
      2_000,
      ["waited 400 ms for the end of the turn", "first token after 1,500 ms", "first audio after 100 ms"],
    ]);
  });
});

describe("what a page is told of tools and handoffs", () => {
  it("is each call, what came of it, and who goes on", async () => {
    const [replyId, callId, name, atMs] = ["turn-1", "call-1", "look", 0];
    const result = { callId, name, outcome: "done", content: "x".repeat(301) } as const;
    const events: VoiceSession["events"] = () =>
      ReadableStream.from([
        { type: "tools-called", replyId, calls: [{ id: callId, name, arguments: { secret: 1 } }], atMs },
        { type: "tool-progress", replyId, callId, name, text: "Let me look.", atMs },
        { type: "tools-finished", replyId, results: [result], atMs },
        { type: "handoff", from: "desk", to: "sales", replyId, atMs },
        { type: "turn-metrics", turnId: replyId, characters: 0, audioMs: 0, atMs },
      ]);
    const posted: ServerMessage[] = [];
    await forwardEvents({ events }, { post: (message) => void posted.push(message) });
    assertEquals(posted, [
      { type: "tool-called", id: callId, name },
      { type: "tool-finished", id: callId, name, outcome: "done", text: `${"x".repeat(300)}…` },
      { type: "handoff", from: "desk", to: "sales" },
    ]);
  });
});
