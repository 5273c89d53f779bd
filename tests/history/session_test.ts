/** The history of a session: what the model is told of it, and what the agent's own code makes of it. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentContext, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { SessionEvent } from "../../src/events.ts";
import type { HistoryItem } from "../../src/history.ts";
import { exportHistory, importHistory } from "../../src/history/transfer.ts";
import { loadTokenizer } from "../../src/history/tokens.ts";
import type { LanguageModel, Message } from "../../src/llm/llm.ts";
import { tool } from "../../src/tool.ts";
import { type Call, startCall, talk, timeToClose } from "../fakes/call.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { type Answer, scriptedLanguageModel } from "../fakes/providers.ts";

const answer = (text: string, ...calls: string[]): Answer => ({
  text,
  ttftMs: 100,
  tokenMs: 10,
  ...(calls.length > 0 && { calls: calls.map((name) => ({ name })) }),
});

interface Chat extends Call {
  readonly requests: readonly (readonly Message[])[];
  readonly events: readonly SessionEvent[];
  /** Writes to the agent, and hears it out. */
  write(text: string): Promise<void>;
  end(): Promise<void>;
}

/** A call in which the user writes. */
async function chat(
  definition: Partial<AgentDefinition>,
  answers: readonly Answer[],
  { clock = fakeClock(), summarizer }: { clock?: FakeClock; summarizer?: LanguageModel } = {},
): Promise<Chat> {
  const llm = scriptedLanguageModel(answers, clock);
  const call = startCall(definition, { clock, providers: { llm, ...(summarizer && { summarizer }) } });
  const events: SessionEvent[] = [];
  const told = call.session.events().pipeTo(
    new WritableStream({ write: (event) => void events.push(event) }),
  );
  call.room.enter("caller");
  await call.joined;
  return {
    ...call,
    requests: llm.requests,
    events,
    async write(text) {
      call.room.tell({ type: "text", text });
      await clock.advance(8_000);
    },
    async end() {
      await timeToClose(call);
      await told;
      assertEquals(clock.pending, 0);
    },
  };
}

/** One line a message. */
const lines = (messages: readonly Message[] | undefined): string[] =>
  (messages ?? []).map((message) => {
    const calls = "toolCalls" in message ? message.toolCalls?.map(({ name }) => `(${name})`).join("") : "";
    return `${message.role} ${message.content}${calls}`.trim();
  });
const words = (items: readonly HistoryItem[]): string[] =>
  items.map((item) =>
    item.type === "tool-call" ? `(${item.call.name})` : item.type === "tool-result" ? item.content : item.text
  );

describe("the history of a session", () => {
  it("is told as far as `maxItems` goes, and is kept whole", async () => {
    const c = await chat({ history: { maxItems: 3 } }, [answer("One."), answer("Two."), answer("Three.")]);
    for (const text of ["first", "second", "third"]) await c.write(text);
    assertEquals(lines(c.requests.at(-1)), [
      "system You are a test.",
      "user second",
      "assistant Two.",
      "user third",
    ]);
    assertEquals(words(c.session.history), ["first", "One.", "second", "Two.", "third", "Three."]);
    await c.end();
  });

  it("is told as far as 20 items go, where nothing is said of that", async () => {
    const c = await chat({}, [answer("Yes.")]);
    for (let i = 0; i < 14; i++) await c.write(`question ${i}`);
    assertEquals(c.requests.at(-1)?.length, 1 + 20);
    assertEquals(lines(c.requests.at(-1))[1], "assistant Yes.");
    assertEquals(c.session.history.length, 28);
    await c.end();
  });

  it("is told as far as `maxTokens` goes", async () => {
    await loadTokenizer("gpt-4o");
    const c = await chat({ history: { maxTokens: 24 } }, [answer("Certainly, with pleasure.")]);
    for (const text of ["one", "two", "three"]) await c.write(text);
    // Each message has 4 more than its words.
    assertEquals(lines(c.requests.at(-1)).slice(1), [
      "user two",
      "assistant Certainly, with pleasure.",
      "user three",
    ]);
    await c.end();
  });

  it("has items whose ids stay theirs, and which no other session has", async () => {
    const c = await chat({}, [answer("Yes.")]);
    await c.write("one");
    const before = c.session.history.map(({ id }) => id);
    await c.write("two");
    const ids = c.session.history.map(({ id }) => id);
    assertEquals(ids.slice(0, 2), before);
    assertEquals(new Set(ids).size, 4);
    assert(ids.every((id) => id.startsWith("session-")), ids.join());
    assertEquals(
      c.session.history.map(({ atMs }) => atMs),
      c.session.history.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
    await c.end();
  });
});

describe("session.updateHistory()", () => {
  it("takes effect at the next request to the model", async () => {
    const c = await chat({}, [answer("Noted."), answer("Yes.")]);
    await c.write("My card is 1234.");
    c.session.updateHistory((items) => [
      ...items.map((item) =>
        item.type === undefined && item.role === "user" ? { ...item, text: "My card is ****." } : item
      ),
      { role: "system", text: "The card is valid." },
    ]);
    await c.write("Thanks.");
    assertEquals(lines(c.requests.at(-1)).slice(1), [
      "user My card is ****.",
      "assistant Noted.",
      "system The card is valid.",
      "user Thanks.",
    ]);
    await c.end();
  });

  it("takes effect within an answer, once a tool is done, and leaves what that answer did in it", async () => {
    const forget = tool({
      description: "Forgets what was said",
      effect: "once",
      execute(_, { session }) {
        session.updateHistory([{ role: "system", text: "Begin anew." }]);
        return "Forgotten.";
      },
    });
    const c = await chat({ tools: { forget } }, [
      answer("Hello."),
      answer("One moment.", "forget"),
      answer("Who are you?"),
    ]);
    await c.write("I am Ada.");
    await c.write("Forget me.");
    assertEquals(lines(c.requests.at(-1)).slice(1), [
      "system Begin anew.",
      "assistant One moment.(forget)",
      "tool Forgotten.",
    ]);
    // The call was taken out of the history, and so there is no result of it.
    assertEquals(words(c.session.history).slice(0, 1), ["Begin anew."]);
    assert(!c.session.history.some(({ type }) => type === "tool-result"));
    await c.write("And now?");
    await c.end();
  });

  it("does not bring back what it took out of a result", async () => {
    const look = tool({ description: "Looks", effect: "none", execute: () => "The card is 1234." });
    const redact = tool({
      description: "Redacts",
      effect: "none",
      execute(_, { session }) {
        session.updateHistory((items) =>
          items.map((item) => item.type === "tool-result" ? { ...item, content: "(redacted)" } : item)
        );
        return "Redacted.";
      },
    });
    const c = await chat({ tools: { look, redact } }, [
      answer("", "look"),
      answer("Found."),
      answer("", "redact"),
      answer("Done."),
    ]);
    await c.write("Look.");
    await c.write("Redact.");
    const told = lines(c.requests.at(-1));
    assert(told.includes("tool (redacted)") && !told.some((line) => line.includes("1234")), told.join("\n"));
    await c.end();
  });

  it("leaves room for a result that is yet to come, and for the words that are being said", async () => {
    const clock = fakeClock();
    const slow = tool({
      description: "Takes long",
      effect: "idempotent",
      execute: async () => (await clock.sleep(2_000), "At last."),
    });
    const c = await chat({ tools: { slow } }, [
      answer("I will look for it now, which may take a while.", "slow"),
      answer("There."),
    ], {
      clock,
    });
    c.room.tell({ type: "text", text: "Go." });
    await clock.advance(1_500);
    assertEquals(c.session.state, "speaking");
    assertEquals(words(c.session.history), ["Go.", "(slow)"]);
    c.session.updateHistory((items) => [...items, { role: "system", text: "Be quick." }]);
    await clock.advance(10_000);
    assertEquals(words(c.session.history), [
      "Go.",
      "(slow)",
      "I will look for it now, which may take a while.",
      "Be quick.",
      "At last.",
      "There.",
    ]);
    await c.write("Thanks.");
    assertEquals(lines(c.requests.at(-1)).slice(1, 4), ["user Go.", "assistant (slow)", "tool At last."]);
    await c.end();
  });

  it("has an answer prepared anew that was prepared before", async () => {
    const clock = fakeClock();
    const llm = scriptedLanguageModel([answer("Good day to you.")], clock);
    const call = startCall({}, { clock, providers: { llm } });
    call.room.enter("caller");
    await call.joined;
    await talk(call, 1_220);
    assertEquals(llm.requests.length > 0 && words(call.session.history), []);
    call.session.updateHistory([{ role: "system", text: "The user is Ada." }]);
    for (let atMs = 1_220; atMs < 4_000; atMs += 20) await clock.advance(20);
    assertEquals(lines(llm.requests.at(-1)), [
      "system You are a test.",
      "system The user is Ada.",
      "user hello there",
    ]);
    assertEquals(words(call.session.history), ["The user is Ada.", "hello there", "Good day to you."]);
    await timeToClose(call);
  });

  it("refuses what is no history, and has to wait for the room", async () => {
    const { session, joined, ...call } = startCall();
    assertThrows(() => session.updateHistory([]), /updateHistory\(\): the agent is not in the room yet/);
    await joined;
    assertThrows(
      () => session.updateHistory([{ type: "tool-result", callId: "a", outcome: "done", content: "" }]),
      /updateHistory\(\): items\[0\] is the result of the call "a", which does not stand before it/,
    );
    await timeToClose({ session, ...call });
  });

  it("begins a session with the history of another, whose calls a model may name as it named those", async () => {
    const look = tool({ description: "Looks", effect: "none", execute: () => "Rain." });
    const first = await chat({ tools: { look } }, [answer("", "look"), answer("Rain.")]);
    await first.write("Weather?");
    await first.end();
    const saved = exportHistory(first.session.history);
    const entry = ({ session }: AgentContext) => session.updateHistory(importHistory(saved));
    const next = await chat({ tools: { look }, entry, history: { maxItems: 1 } }, [
      answer("", "look"),
      answer("Rain again."),
    ]);
    await next.write("And now?");
    const calls = next.session.history.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
    assertEquals([calls.length, new Set(calls).size], [2, 2]);
    assertEquals(words(next.session.history), [
      "Weather?",
      "(look)",
      "Rain.",
      "Rain.",
      "And now?",
      "(look)",
      "Rain.",
      "Rain again.",
    ]);
    assert(next.session.history.slice(0, 4).every(({ atMs }) => atMs <= 0));
    await next.end();
  });
});

describe("a summary in a session", () => {
  it("is told behind the instructions, and its tokens are used", async () => {
    const clock = fakeClock();
    const summarizer = {
      ...scriptedLanguageModel([{ text: "Ada wants tea.", ttftMs: 500, tokenMs: 0 }], clock),
      model: "notes",
    };
    const c = await chat({ history: { maxItems: 2, summarize: true } }, [answer("Yes.")], {
      clock,
      summarizer,
    });
    for (const text of ["I am Ada.", "I want tea.", "Please."]) await c.write(text);
    assertEquals(lines(c.requests.at(-1)), [
      "system You are a test.",
      "system Notes of what was said before, which is not shown any more:\nAda wants tea.",
      "assistant Yes.",
      "user Please.",
    ]);
    const used = c.events.filter((event) => event.type === "usage" && event.usage.model === "notes");
    assertEquals(used.length, 2);
    assertEquals(c.events.filter(({ type }) => type === "error"), []);
    await c.end();
  });

  it("is made by the agent's own model where no other is named, and counted with it", async () => {
    const c = await chat({ history: { maxItems: 1, summarize: true } }, [answer("Yes.")]);
    for (const text of ["one", "two"]) await c.write(text);
    const summaries = c.requests.filter(([first]) => first?.content.startsWith("You keep the notes"));
    assertEquals(summaries.length, 1);
    assertMatch(summaries[0]?.at(-1)?.content ?? "", /user: one\nassistant: Yes\./);
    assertEquals(c.events.filter((event) => event.type === "usage" && event.usage.stage === "llm").length, 3);
    await c.end();
  });

  it("ends with the session when it is being written", async () => {
    const clock = fakeClock();
    const summarizer: LanguageModel = { provider: "hung", model: "", generate: () => new ReadableStream() };
    const c = await chat({ history: { maxItems: 1, summarize: true } }, [answer("Yes.")], {
      clock,
      summarizer,
    });
    for (const text of ["one", "two"]) await c.write(text);
    await c.end();
    assertEquals(c.events.filter(({ type }) => type === "error"), []);
  });
});

describe("an agent's `history`", () => {
  const refused: [history: AgentDefinition["history"], expected: RegExp][] = [
    [{ maxItems: 0 }, /history\.maxItems is 0; expected a whole number from 1/],
    [{ maxTokens: 1.5 }, /history\.maxTokens is 1\.5; expected a whole number from 1/],
    [{ summarize: { prompt: " " } }, /history\.summarize\.prompt is empty; expected words/],
    [{ summarize: { llm: "gpt" } }, /history\.summarize: `llm` is "gpt"; expected a provider and a model/],
  ];
  for (const [history, expected] of refused) {
    it(`is refused as ${JSON.stringify(history)}`, () => {
      assertThrows(() => defineAgent({ instructions: "Be brief.", ...(history && { history }) }), expected);
    });
  }
});
