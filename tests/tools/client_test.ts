/** Tools that the user's device carries out, in a session. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { z } from "zod";
import { defineAgent } from "../../src/agent.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import type { Room } from "../../src/room/room.ts";
import { startSession } from "../../src/session.ts";
import { clientTool, type ClientToolDefinition } from "../../src/tools/client.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "../fakes/providers.ts";
import { loudnessDetector } from "../fakes/speech.ts";

const parameters = z.object({ text: z.string().describe("What to show") });
const show = { description: "Shows a text", parameters, effect: "idempotent" } as const;

type Asked = readonly [method: string, payload: string, timeoutMs: number];

/** What the model is told of one call of `show`, in a room whose client answers with `client`. */
async function toldOf(
  definition: Partial<ClientToolDefinition<typeof parameters>>,
  client: Room["performRpc"],
  text = "Hello",
) {
  const clock = fakeClock();
  const asked: Asked[] = [];
  const performRpc: Room["performRpc"] = client && ((method, payload, options) => {
    asked.push([method, payload, options.timeoutMs]);
    return client(method, payload, options);
  });
  const room = memoryRoom({ name: "room", clock, performRpc });
  const calls = [{ name: "show", arguments: { text } }];
  const answers = [{ text: "", ttftMs: 100, tokenMs: 10, calls }, {
    text: "Well.",
    ttftMs: 100,
    tokenMs: 10,
  }];
  const { session, joined } = startSession({
    id: "session",
    agentName: "test",
    agent: defineAgent({
      instructions: "You are a test.",
      tools: { show: clientTool({ ...show, ...definition }) },
    }),
    providers: {
      vad: loudnessDetector(),
      stt: scriptedSpeechToText([], clock),
      llm: scriptedLanguageModel(answers, clock),
      tts: scriptedTextToSpeech([], clock),
    },
    turnTaking,
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log,
  });
  room.enter("caller");
  await clock.advance(10);
  await joined;
  session.generateReply();
  await clock.advance(20_000);
  const result = session.history.find((item) => item.type === "tool-result");
  const closed = session.close();
  await clock.advance(5_000);
  await closed;
  assertEquals(clock.pending, 0);
  return { asked, told: [result?.outcome, result?.content] };
}

describe("a tool of the user's device", () => {
  const answers: [what: string, answer: string, content: string][] = [
    ["text", "blue", "blue"],
    ["JSON", '{"color":"blue"}', '{"color":"blue"}'],
    ["nothing", "", "Done."],
  ];
  for (const [what, answer, content] of answers) {
    it(`is carried out there, and the model is told its answer: ${what}`, async () => {
      assertEquals(await toldOf({}, () => Promise.resolve(answer)), {
        asked: [["show", '{"text":"Hello"}', 15_000]],
        told: ["done", content],
      });
    });
  }

  it("may have another name there, and time of its own", async () => {
    const { asked } = await toldOf({ method: "app.showText", timeoutMs: 2_000 }, () => Promise.resolve(""));
    assertEquals(asked, [["app.showText", '{"text":"Hello"}', 2_000]]);
  });

  const failures: [
    what: string,
    client: Room["performRpc"],
    text: string,
    told: readonly [string, RegExp],
  ][] = [
    ["no client", undefined, "a", ["failed", /there is no device of the user's that could do this/]],
    ["a failure", () => Promise.reject(new Error("the form is not open")), "a", [
      "failed",
      /^This failed: the form is not open$/,
    ]],
    ["no answer", () => new Promise(() => {}), "a", ["timed-out", /longer than 15 s/]],
    ["too long an answer", () => Promise.resolve("x".repeat(15_361)), "a", [
      "failed",
      /answered more than 15,360 bytes/,
    ]],
    ["too much", () => Promise.resolve(""), "ä".repeat(7_700), [
      "failed",
      /more than the user's device takes at once, 15,360 bytes/,
    ]],
  ];
  for (const [what, client, text, [outcome, content]] of failures) {
    it(`fails in words: ${what}`, async () => {
      const { told } = await toldOf({}, client, text);
      assertEquals(told[0], outcome);
      assertMatch(String(told[1]), content);
    });
  }

  it("is defined as others are, but for what it does", () => {
    const { effect, parameters: { required } } = clientTool(show);
    assertEquals([effect, required], ["idempotent", ["text"]]);
    assertThrows(() => clientTool({ ...show, description: "" }), /`description` is empty/);
  });
});
