import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { demoLanguageModel } from "../../src/llm/demo.ts";
import type { LanguageEvent, LanguageRequest, Message, ToolSpec } from "../../src/llm/llm.ts";
import { fakeClock } from "../fakes/clock.ts";

const time = () => new Date(2026, 10, 22, 15, 4);

function start(said: readonly string[], signal = new AbortController().signal) {
  const clock = fakeClock();
  const messages: Message[] = [
    { role: "system", content: "My name is Nobody." },
    ...said.map((content, i): Message => ({ role: i % 2 ? "assistant" : "user", content })),
  ];
  const model = demoLanguageModel({ clock, time });
  return { clock, model, events: Array.fromAsync(model.generate({ messages }, { signal })) };
}

async function ask(...said: string[]): Promise<string> {
  const { clock, events } = start(said);
  await clock.advance(60_000);
  assertEquals(clock.pending, 0);
  return textOf(await events);
}

async function eventsOf(request: LanguageRequest): Promise<LanguageEvent[]> {
  const clock = fakeClock();
  const { signal } = new AbortController();
  const events = Array.fromAsync(demoLanguageModel({ clock, time }).generate(request, { signal }));
  await clock.advance(60_000);
  return await events;
}

const textOf = (events: readonly LanguageEvent[]): string =>
  events.map((event) => event.type === "text" ? event.text : "").join("");

describe("demoLanguageModel()", () => {
  const answers: [said: string, answer: RegExp][] = [
    ["Hello!", /^Hello! What is your name\?$/],
    ["My name is Maria.", /Nice to meet you, Maria\./],
    ["hi i'm maria", /Nice to meet you, Maria\./],
    ["I’m Jörg.", /Nice to meet you, Jörg\./],
    ["You can call me Jean-Luc, please.", /Nice to meet you, Jean-Luc\./],
    ["I'm fine.", /only a demo/],
    ["What's my name?", /not told me your name/],
    ["What time is it?", /^It is 3:04.PM\.$/],
    ["What day is it today?", /^Today is Sunday, November 22\.$/],
    ["Tell me a long story.", /^Here is a long one.+lighthouse/],
    ["Who are you?", /a demo: a few fixed rules.+OPENAI_API_KEY/],
    ["What is your name?", /I am a demo/],
    ["Wait.", /I stopped/],
    ["How are you?", /I am well/],
    ["Thanks a lot.", /welcome/],
    ["Bye!", /^Goodbye\./],
    ["Which horse won the derby in 1913?", /did not understand.+OPENAI_API_KEY/],
  ];
  for (const [said, answer] of answers) {
    it(`answers ${JSON.stringify(said)}`, async () => assertMatch(await ask(said), answer));
  }

  const tool = (name: string): ToolSpec => ({ name, description: "A tool", parameters: { type: "object" } });
  const calls: [said: string, tools: string[], called: string | undefined][] = [
    ["What time is it?", ["getWeather", "getTime"], "getTime"],
    ["What time is it?", ["getWeather"], undefined],
    ["Please transfer me to sales.", ["getTime", "transferToSales"], "transferToSales"],
    ["What are your prices?", ["transferToSales"], "transferToSales"],
    ["I want to go back to the assistant.", ["transferBack"], "transferBack"],
    ["Tell me a story.", ["getTime", "transferToSales"], undefined],
  ];
  for (const [said, tools, called] of calls) {
    it(`${called ? `calls ${called} for` : "calls nothing for"} ${JSON.stringify(said)} with ${tools}`, async () => {
      const events = await eventsOf({ messages: [{ role: "user", content: said }], tools: tools.map(tool) });
      const [first] = events;
      assertEquals(first?.type === "tool-call" ? first.name : undefined, called);
      if (first?.type === "tool-call") assertEquals(first.arguments, { reason: said });
      assertEquals(events.at(-1), { type: "finish", reason: called ? "tool-calls" : "stop" });
    });
  }

  it("calls nothing when it must not", async () => {
    const messages: Message[] = [{ role: "user", content: "What time is it?" }];
    const [first] = await eventsOf({ messages, tools: [tool("getTime")], toolChoice: "none" });
    assertEquals(first?.type, "text");
  });

  it("tells what a tool has told", async () => {
    for (
      const [told, said] of [["3:04 PM", "It is 3:04 PM."], [
        "This failed: no clock",
        "This failed: no clock",
      ]]
    ) {
      const call = { id: "1", name: "getTime", arguments: {} };
      const events = await eventsOf({
        messages: [
          { role: "user", content: "What time is it?" },
          { role: "assistant", content: "", toolCalls: [call] },
          { role: "tool", callId: "1", content: told! },
        ],
        tools: [tool("getTime")],
      });
      assertEquals(textOf(events), said);
    }
  });

  it("greets when nothing was said", async () => assertMatch(await ask(), /^Hello!/));

  it("remembers the name it was told last", async () => {
    const talk = ["My name is Maria.", "Nice to meet you, Maria.", "Hello again.", "Hello, Maria!"];
    assertMatch(await ask(...talk, "What is my name?"), /^Your name is Maria\.$/);
    assertMatch(await ask(...talk, "Hello"), /^Hello, Maria!/);
    assertMatch(await ask(...talk, "Call me Mia.", "Nice to meet you, Mia.", "Goodbye."), /^Goodbye, Mia\./);
  });

  it("has a story long enough to be interrupted", async () => {
    const words = (await ask("Tell me a story")).split(" ").length;
    assert(words > 150, `the story has ${words} words, about ${words / 3} s`);
  });

  it("speaks word by word and finishes", async () => {
    const { clock, events } = start(["Thank you."]);
    const seen: LanguageEvent[] = [];
    const reading = events.then((all) => seen.push(...all));
    await clock.advance(119);
    assertEquals(clock.pending, 1);
    await clock.advance(1 + 3 * 25);
    await reading;
    assertEquals(seen, [
      { type: "text", text: "You " },
      { type: "text", text: "are " },
      { type: "text", text: "welcome." },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("stops when it is aborted", async () => {
    const abort = new AbortController();
    const { clock, events } = start(["Tell me a story."], abort.signal);
    const result = events.catch((error: unknown) => error);
    await clock.advance(1_000);
    const reason = new Error("cut");
    abort.abort(reason);
    assertEquals(await result, reason);
    assertEquals(clock.pending, 0);
  });

  it("says what it is", () => {
    const { provider, model } = demoLanguageModel({ clock: fakeClock() });
    assertEquals(`${provider}/${model}`, "demo/rules");
  });
});
