import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, ToolChoice } from "../../src/llm/llm.ts";
import { openaiLanguageModel } from "../../src/llm/openai.ts";
import { tool, type ToolEffect } from "../../src/tool.ts";
import type { AnswerEvent } from "../../src/tools/answer.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { always, call, scripted, world } from "./world.ts";

const of = (effect: ToolEffect, execute: Parameters<typeof tool>[0]["execute"], more: object = {}) =>
  tool({ description: "Does it", effect, execute, ...more });

const textOf = (events: readonly AnswerEvent[]) =>
  events.map((event) => event.type === "text" ? event.text : "").join("");
const typesOf = (events: readonly AnswerEvent[]) => events.map(({ type }) => type);

describe("an answer with tools", () => {
  it("says, calls, and answers with what it learned", async () => {
    const w = world();
    const model = scripted([
      ["Let me ", "look.", call("a", "temperature"), call("b", "wind")],
      ["It is 5 degrees."],
    ]);
    const tools = { temperature: of("none", () => 5), wind: of("none", () => "strong") };
    const { events, ended } = w.answer(tools, model.generate, { toolChoice: "required" });
    assertEquals(await ended, undefined);
    assertEquals(events.slice(2), [
      { type: "text", text: "\n" },
      { type: "tools-called", calls: [call("a", "temperature"), call("b", "wind")] },
      {
        type: "tools-finished",
        results: [
          { callId: "a", name: "temperature", outcome: "done", content: "5", value: 5 },
          { callId: "b", name: "wind", outcome: "done", content: "strong", value: "strong" },
        ],
      },
      { type: "text", text: "It is 5 degrees." },
      { type: "finish", reason: "stop", usage: { inputTokens: 20, outputTokens: 5 }, steps: 1 },
    ]);
    assertEquals(model.requests.map(({ toolChoice }) => toolChoice), ["required", undefined]);
    assertEquals(model.requests[1]?.messages.slice(2), [
      {
        role: "assistant",
        content: "Let me look.",
        toolCalls: [call("a", "temperature"), call("b", "wind")],
      },
      { role: "tool", callId: "a", content: "5" },
      { role: "tool", callId: "b", content: "strong" },
    ]);
    assertEquals(model.requests[0]?.tools?.map(({ name }) => name), ["temperature", "wind"]);
  });

  it("is a plain answer where there are no tools", async () => {
    const model = scripted([["Hello."]]);
    const { events, ended } = world().answer({}, model.generate);
    await ended;
    assertEquals(typesOf(events), ["text", "finish"]);
    assert(!("tools" in model.requests[0]!));
  });

  for (const [maxSteps, expected] of [[undefined, 5], [2, 2], [0, 0]] as const) {
    it(`calls tools ${expected} times at most, and then must answer in words`, async () => {
      const w = world();
      let ran = 0;
      const model = scripted(Array.from({ length: 9 }, (_, n) => ["Hm.", call(`c${n}`, "look")]));
      const { events, ended } = w.answer({ look: of("none", () => ++ran) }, model.generate, {
        ...(maxSteps !== undefined && { maxSteps }),
      });
      await ended;
      assertEquals([ran, model.requests.length], [expected, expected + 1]);
      const choices = model.requests.map(({ toolChoice }): ToolChoice | undefined => toolChoice);
      assertEquals(choices, [...Array(expected).fill(undefined), "none"]);
      const last = events.at(-1);
      assertEquals(last?.type === "finish" && last.steps, expected);
    });
  }

  it("goes on with what the model made wrong, told in words", async () => {
    const w = world();
    const model = scripted([[call("a", "look"), call("b", "leap")], ["Sorry."]]);
    const look = of("none", () => Promise.reject(new Error("it is dark")));
    const { events, ended } = w.answer({ look }, model.generate);
    await ended;
    assertEquals(textOf(events), "Sorry.");
    const told = model.requests[1]?.messages.slice(-2).map(({ content }) => content);
    assertEquals(told, ["This failed: it is dark", 'There is no tool "leap"; there are: "look".']);
  });

  it("gives calls ids that no other call of the conversation has", async () => {
    const w = world();
    const model = scripted([[call("0", "look")], [call("0", "look"), call("", "look")], ["Done."]]);
    const { ended } = w.answer({ look: of("none", () => 1) }, model.generate);
    assertEquals(await ended, undefined);
    const ids = w.items.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
    assertEquals([new Set(ids).size, ids[0]], [3, "0"]);
    const later = w.answer({ look: of("none", () => 1) }, scripted([[call("0", "look")]]).generate, {
      messages: always([{ role: "user", content: "Again" }]),
    });
    await later.ended;
    assertEquals(new Set(w.items.flatMap((item) => item.type === "tool-call" ? [item.call.id] : [])).size, 4);
  });

  it("does not wait to be read before it calls", async () => {
    const w = world();
    let ran = 0;
    const words = Array.from({ length: 50 }, (_, n) => `word${n} `);
    const model = scripted([[...words, call("a", "look")]]);
    const { answerWithTools } = await import("../../src/tools/answer.ts");
    const stream = answerWithTools({
      generate: model.generate,
      messages: always(w.prompt("Go.")),
      tools: { look: of("none", () => ++ran) },
      runner: w.runner,
      host: w.host,
      turnId: "turn-1",
      signal: new AbortController().signal,
    });
    await w.clock.settle();
    assertEquals(ran, 1);
    await stream.cancel();
  });

  for (const end of ["break", "content-filter"] as const) {
    it(`does nothing that a model began to ask for: ${end}`, async () => {
      const w = world();
      let ran = 0;
      async function* broken(): AsyncGenerator<LanguageEvent> {
        yield { type: "tool-call", ...call("a", "look") };
        if (end === "break") throw new StageError("llm", "the model's answer broke off");
        yield { type: "finish", reason: end };
      }
      const look = of("none", () => ++ran);
      const { ended, events } = w.answer({ look }, () => ReadableStream.from(broken()));
      assertEquals((await ended) instanceof StageError, end === "break");
      assertEquals([ran, w.items, typesOf(events)], [0, [], end === "break" ? [] : ["finish"]]);
    });
  }

  it("calls what a server called that says it stopped", async () => {
    const w = world();
    async function* events(): AsyncGenerator<LanguageEvent> {
      if (w.items.length === 0) yield { type: "tool-call", ...call("a", "look") };
      yield { type: "finish", reason: "stop" };
    }
    const answer = w.answer({ look: of("none", () => 1) }, () => ReadableStream.from(events()));
    await answer.ended;
    assertEquals(w.items.length, 2);
  });
});

describe("an answer with tools, interrupted", () => {
  it("ends with the signal's reason, also when the model is deaf", async () => {
    const w = world();
    const interruption = new AbortController();
    const { ended } = w.answer({}, () => new ReadableStream(), { signal: interruption.signal });
    await w.clock.settle();
    interruption.abort("barge-in");
    assertEquals(await ended, "barge-in");
  });

  it('leaves a history with the result of what is done "once"', async () => {
    const w = world();
    const interruption = new AbortController();
    const order = of("once", () => w.clock.sleep(1_000).then(() => "number 7"));
    const look = of("none", () => w.clock.sleep(1_000));
    const model = scripted([["One moment", call("a", "order"), call("b", "look")]]);
    const { ended } = w.answer({ order, look }, model.generate, { signal: interruption.signal });
    await w.clock.advance(500);
    interruption.abort("barge-in");
    assertEquals(await ended, "barge-in");
    const next = scripted([["Well."]]);
    await w.answer({ order, look }, next.generate, { messages: always(w.prompt("And?")), turnId: "turn-2" })
      .ended;
    const told = next.requests[0]?.messages.flatMap((one) => one.role === "tool" ? [one.content] : []) ?? [];
    assertMatch(told[0] ?? "", /still running/);
    assertMatch(told[1] ?? "", /cancelled/);
    await w.clock.advance(500);
    assertEquals(w.results.map(({ callId, content, late }) => [callId, content, late]).at(-1), [
      "a",
      "number 7",
      true,
    ]);
  });

  it("learns what has ended since it began, of the answer before", async () => {
    const w = world();
    const tools = {
      order: of("once", () => w.clock.sleep(1_000).then(() => "number 7"), { timeoutMs: 100 }),
      look: of("none", () => w.clock.sleep(2_000)),
    };
    void w.answer(tools, scripted([[call("a", "order")]]).generate);
    await w.clock.advance(200);
    const model = scripted([[call("b", "look")]]);
    void w.answer(tools, model.generate, { messages: always(w.prompt("And?")), turnId: "turn-2" });
    await w.clock.advance(2_000);
    const told = model.requests.map(({ messages }) => messages.find(({ role }) => role === "tool")?.content);
    assertMatch(told[0] ?? "", /still running/);
    assertEquals(told[1], "number 7");
  });
});

describe("an answer with tools, prepared before the turn is over", () => {
  it("looks things up, of which nothing is heard or kept until then", async () => {
    const w = world();
    const commit = Promise.withResolvers<void>();
    const look = of("none", async (_, ctx) => {
      ctx.progress("Still looking…");
      ctx.disallowInterruptions();
      await w.clock.sleep(1_000);
      return 5;
    });
    const model = scripted([[call("a", "look")], ["Five."]]);
    const { events } = w.answer({ look }, model.generate, { committed: commit.promise });
    await w.clock.advance(500);
    assertEquals([typesOf(events), w.items, w.said, w.kept], [["tools-called"], [], [], 0]);
    commit.resolve();
    await w.clock.settle();
    assertEquals([w.items.length, w.said, w.kept], [1, ["Still looking…"], 1]);
    await w.clock.advance(500);
    assertEquals([textOf(events), w.items.length], ["Five.", 2]);
  });

  it("leaves nothing behind when it is dropped", async () => {
    const w = world();
    const commit = Promise.withResolvers<void>();
    const drop = new AbortController();
    const look = of("none", (_, { signal }) => w.clock.sleep(1_000, { signal }));
    const { ended } = w.answer({ look }, scripted([[call("a", "look")]]).generate, {
      committed: commit.promise,
      signal: drop.signal,
    });
    await w.clock.advance(500);
    drop.abort("dropped");
    assertEquals(await ended, "dropped");
    commit.resolve();
    await w.clock.settle();
    assertEquals([w.items, w.said, w.errors, w.clock.pending], [[], [], [], 0]);
  });

  const effects: [what: string, effect: ToolEffect, more?: object][] = [
    ['is done "once"', "once"],
    ["may be done again", "idempotent"],
    ["the user is asked about", "none", { confirm: true }],
  ];
  for (const [what, effect, more] of effects) {
    it(`waits with what ${what}, says so, and goes on after it`, async () => {
      const w = world();
      const commit = Promise.withResolvers<void>();
      let ran = 0;
      const tools = { look: of("none", () => ++ran), act: of(effect, () => ++ran, more) };
      const model = scripted([["Wait.", call("a", "look"), call("b", "act")], ["Done."]]);
      const { events, ended } = w.answer(tools, model.generate, { committed: commit.promise });
      await w.clock.advance(5_000);
      assertEquals([typesOf(events), ran, w.asked], [["text", "text", "tools-held"], 0, []]);
      commit.resolve();
      assertEquals(await ended, undefined);
      assertEquals([typesOf(events).slice(3), ran], [
        ["tools-called", "tools-finished", "text", "finish"],
        2,
      ]);
      assertEquals(w.items.map(({ type }) => type).slice(0, 2), ["tool-call", "tool-call"]);
    });
  }
});

describe("an answer with tools, by OpenAI's API", () => {
  it("is given over the wire", async () => {
    const w = world();
    await using emulator = await startOpenAIEmulator({
      ttftMs: 0,
      tokenMs: 0,
      answer: (_, n) =>
        n === 0
          ? {
            text: "Let me look.",
            calls: [{ name: "order", arguments: {} }, { name: "order", arguments: "" }, {
              name: "look",
              arguments: "{",
            }],
          }
          : "Here you are.",
    });
    const llm = openaiLanguageModel({ apiKey: "test-key", baseUrl: emulator.url });
    let ran = 0;
    const tools = { order: of("once", () => ({ id: ++ran })), look: of("none", () => ++ran) };
    const { events, ended } = w.answer(tools, llm.generate);
    assertEquals(await ended, undefined);
    assertEquals([textOf(events), ran], ["Let me look.\nHere you are.", 1]);
    const told = emulator.requests[1]?.body.messages ?? [];
    assertEquals(told.map(({ role }) => role), ["system", "user", "assistant", "tool", "tool", "tool"]);
    assertEquals(told[3]?.content, '{"id":1}');
  });
});
