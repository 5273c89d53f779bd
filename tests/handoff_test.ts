/** Handing a conversation over: who answers, in which voice, and what becomes of what was said meanwhile. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Agent, type AgentDefinition, defineAgent } from "../src/agent.ts";
import { ConfigError } from "../src/errors.ts";
import type { SessionEvent } from "../src/events.ts";
import { handoff } from "../src/handoff.ts";
import { saidIn } from "../src/history.ts";
import type { LanguageModel } from "../src/llm/llm.ts";
import { scripted, testCall } from "../src/testing.ts";
import { tool } from "../src/tool.ts";
import type { TextToSpeech } from "../src/tts/tts.ts";
import { startCall, talk, timeToClose } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { scriptedSpeechToText, scriptedTextToSpeech } from "./fakes/providers.ts";

const to = (next: () => unknown) =>
  tool({ description: "Transfers the user", effect: "idempotent", execute: next });
const agentNamed = (name: string, definition: Partial<AgentDefinition> = {}): Agent =>
  defineAgent({ name, instructions: `You are ${name}.`, ...definition });
const handoffsIn = (events: readonly SessionEvent[]) =>
  events.flatMap((event) => event.type === "handoff" ? [`${event.from} → ${event.to}`] : []);
const outcomesIn = (events: readonly SessionEvent[]) =>
  events.flatMap((event) => event.type === "turn-ended" ? [event.outcome] : []);
const transfer = { toolCalls: [{ name: "transfer" }] };

describe("a handoff", () => {
  it("to an agent that says nothing by itself has it answer the conversation as it is", async () => {
    const second = agentNamed("second");
    const first = agentNamed("first", { tools: { transfer: to(() => second) } });
    await using call = await testCall(first, {
      llm: scripted([transfer, ({ messages }) => messages.map(({ content }) => content).join("|")]),
    });
    await call.user("Help me.");
    call.expect.said(
      "You are second.|Help me.||The conversation was handed over to second, who goes on with it.",
    );
    assertEquals(handoffsIn(call.events), ["first → second"]);
    assertEquals(outcomesIn(call.events), ["answered"]);
    const began = call.events.find(({ type }) => type === "agent-started-speaking");
    assert(began?.type === "agent-started-speaking" && began.turnId === "turn-1", "the turn was forgotten");
    assert(began.latency.totalMs >= 400, String(began.latency.totalMs));
  });

  it("in a batch gives every call its result; the first one counts", async () => {
    const [second, third] = [agentNamed("second"), agentNamed("third")];
    const first = agentNamed("first", {
      tools: {
        transfer: to(() => second),
        elsewhere: to(() => handoff(third, { result: "To the third." })),
        lookUp: tool({
          description: "Looks up",
          effect: "none",
          execute: () => "order 7",
        }),
      },
    });
    await using call = await testCall(first, {
      llm: scripted([
        { toolCalls: [{ name: "transfer" }, { name: "elsewhere" }, { name: "lookUp" }] },
        ({ messages }) => messages.flatMap(({ role, content }) => role === "tool" ? [content] : []).join("|"),
      ]),
    });
    await call.user("Help me.");
    call.expect.said(
      "The conversation was handed over to second, who goes on with it.|" +
        "This failed: the conversation was handed over to second before|order 7",
    );
    call.expect.error(/handed over to second before/);
    assertEquals(handoffsIn(call.events), ["first → second"]);
  });

  it("does not happen where the next agent's models are not to be had: the old one says so", async () => {
    const second = agentNamed("second", { llm: "openai/gpt-4o" });
    const call = startCall({ tools: { transfer: to(() => second) } }, {
      providers: { llm: modelThatTransfers() },
      equip: () => {
        throw new ConfigError("OPENAI_API_KEY is not set; LLM openai/gpt-4o needs it");
      },
    });
    call.room.enter("caller");
    await talk(call, 2_000);
    await call.clock.advance(10_000);
    assertEquals(
      saidIn(call.session.history).at(-1)?.text,
      "You are a test.: This failed: OPENAI_API_KEY is not set; LLM openai/gpt-4o needs it",
    );
    await timeToClose(call);
  });

  it("does not happen where the next agent hears one voice, and the call everybody", async () => {
    const second = agentNamed("second", { model: "openai-realtime/gpt-realtime" });
    const call = startCall({ participants: "all", tools: { transfer: to(() => second) } }, {
      providers: { llm: modelThatTransfers() },
    });
    call.room.enter("caller");
    await talk(call, 2_000);
    await call.clock.advance(10_000);
    assertMatch(
      saidIn(call.session.history).at(-1)?.text ?? "",
      /This failed: the agent second has a `model`, which hears one voice, and the call hears everybody/,
    );
    await timeToClose(call);
  });

  it("goes in a circle only so often", async () => {
    const first: Agent = agentNamed("first", { tools: { transfer: to(() => second) } });
    const second: Agent = agentNamed("second", { tools: { transfer: to(() => first) } });
    await using call = await testCall(first, {
      llm: scripted([transfer, transfer, transfer, transfer, transfer, transfer, "I will help you."]),
    });
    await call.user("Help me.");
    call.expect.said("I will help you.");
    call.expect.error(/too often/);
    assertEquals(handoffsIn(call.events).length, 5);
    assertEquals(outcomesIn(call.events), ["answered"]);
  });

  it("is not made by an answer that is only prepared", async () => {
    const second = agentNamed("second", { entry: ({ session }) => void session.say("Second here.") });
    let used = 0;
    const execute = () => {
      used++;
      return second;
    };
    const call = startCall({
      tools: { transfer: tool({ description: "Transfers", effect: "none", execute }) },
    }, { providers: { llm: modelThatTransfers() } });
    const events: SessionEvent[] = [];
    void call.session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
    call.room.enter("caller");
    await talk(call, 1_300);
    assertEquals([used, handoffsIn(events)], [1, []]);
    await call.clock.advance(8_000);
    const order = events.map(({ type }) => type).filter((type) =>
      type === "user-speech-committed" || type === "handoff" || type === "agent-started-speaking"
    );
    assertEquals(order, ["user-speech-committed", "handoff", "agent-started-speaking"]);
    assertEquals(outcomesIn(events), ["answered"]);
    await timeToClose(call);
  });

  it("speaks, thinks and hears with what the next agent has, and closes the old voice when it has spoken", async () => {
    const clock = fakeClock();
    const open: string[] = [];
    const spoken: string[] = [];
    const voice = (name: string): TextToSpeech => {
      const tts = scriptedTextToSpeech([], clock);
      return {
        ...tts,
        connect({ signal }) {
          open.push(name);
          signal.addEventListener("abort", () => open.splice(open.indexOf(name), 1));
          return {
            ...tts,
            synthesize: (text, options) => {
              spoken.push(name);
              assert(open.includes(name), `${name} is not connected`);
              return tts.synthesize(text, options);
            },
          };
        },
      };
    };
    const utterances = [{ fromMs: 6_000, toMs: 7_000, words: ["what", "now"] }];
    const second = agentNamed("second", {
      tts: voice("second"),
      stt: scriptedSpeechToText(utterances, clock),
      entry: ({ session }) => void session.say("Second here."),
    });
    const call = startCall({ tools: { transfer: to(() => second) } }, {
      clock,
      providers: { llm: modelThatTransfers("One moment."), tts: voice("first") },
      equip: (agent, { providers, turnTaking }) => ({
        agent,
        agentName: "second",
        providers: {
          ...providers,
          tts: agent.tts as TextToSpeech,
          stt: second.stt as typeof providers.stt,
        },
        turnTaking,
      }),
    });
    call.room.enter("caller");
    await talk(call, 5_000);
    assertEquals([spoken, open], [["first", "second"], ["second"]]);
    await talk(call, 9_000, { fromMs: 5_000, voicedMs: 6_000 });
    await clock.advance(3_000);
    const said = saidIn(call.session.history).map(({ role, text }) => `${role}: ${text.trim()}`);
    assertEquals(said.slice(0, 4), [
      "user: hello there",
      "assistant: One moment.",
      "assistant: Second here.",
      "user: what now",
    ]);
    assertEquals(said[4], "assistant: You are second.: what now");
    await timeToClose(call);
    assertEquals([open, clock.pending], [[], 0]);
  });

  it("loses nothing that is said meanwhile: the next agent answers it", async () => {
    const second = agentNamed("second", { entry: ({ session }) => void session.say("Second here.") });
    const first = agentNamed("first", {
      tools: {
        transfer: tool({
          description: "Transfers",
          effect: "once",
          execute: () => new Promise<Agent>((resolve) => release.push(() => resolve(second))),
        }),
      },
    });
    const release: (() => void)[] = [];
    await using call = await testCall(first, {
      llm: scripted([
        { text: "Let me see who can help you with that today.", ...transfer },
        "Wait.",
        ({ messages }) => messages[0]!.content,
      ]),
    });
    await call.user("Help me.", { until: "speaking" });
    await call.user("With an order.", { until: "speaking" });
    release[0]?.();
    await call.wait(5_000);
    await call.user("Are you there?");
    call.expect.said("You are second.");
    assertEquals(handoffsIn(call.events), ["first → second"]);
  });
});

describe("an agent that is written anew during the call", () => {
  const spokenTo = (call: ReturnType<typeof startCall>) =>
    saidIn(call.session.history).map(({ text }) => text);

  it("goes on at the next turn with what it is now, and with the history", async () => {
    const edited = agentNamed("edited");
    const registry: { newest?: Agent } = {};
    const call = startCall({}, {
      providers: { llm: modelThatTransfers() },
      latest: (agent) => registry.newest ?? agent,
    });
    call.room.enter("caller");
    await talk(call, 6_000);
    registry.newest = edited; // while the user talks, and an answer may be prepared
    call.room.tell({ type: "text", text: "And now?" });
    await call.clock.advance(10_000);
    assertEquals(spokenTo(call), [
      "hello there",
      "You are a test.: hello there",
      "And now?",
      "You are edited.: And now?",
    ]);
    await timeToClose(call);
  });

  it("stays what it was where the new version's models are not to be had", async () => {
    const call = startCall({}, {
      providers: { llm: modelThatTransfers() },
      latest: () => agentNamed("edited"),
      equip: () => {
        throw new ConfigError("OPENAI_API_KEY is not set; LLM openai/gpt-4o needs it");
      },
    });
    call.room.enter("caller");
    await talk(call, 6_000);
    assertEquals(spokenTo(call), ["hello there", "You are a test.: hello there"]);
    await timeToClose(call);
  });
});

/** A model that calls "transfer" when a user has spoken, and says who it is and what it was told last. */
function modelThatTransfers(before = ""): LanguageModel {
  let asked = 0;
  return {
    provider: "scripted",
    model: "script",
    generate({ messages, tools }) {
      const last = messages.at(-1);
      if (last?.role === "user" && tools?.some(({ name }) => name === "transfer")) {
        return ReadableStream.from([
          ...(before ? [{ type: "text", text: before } as const] : []),
          { type: "tool-call", id: `call-${++asked}`, name: "transfer", arguments: {} } as const,
          { type: "finish", reason: "tool-calls" } as const,
        ]);
      }
      return ReadableStream.from([
        { type: "text", text: `${messages[0]?.content}: ${last?.content}` } as const,
        { type: "finish", reason: "stop" } as const,
      ]);
    },
  };
}

describe("handoff()", () => {
  it("refuses in words what is no agent", () => {
    const agent: Agent = { instructions: "You are not defined." };
    assertThrows(() => handoff(agent), /no agent; expected what defineAgent\(\) returns/);
  });
});
