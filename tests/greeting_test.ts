import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../src/agent.ts";
import { StageError } from "../src/errors.ts";
import { saidIn } from "../src/history.ts";
import type { TextToSpeech } from "../src/tts/tts.ts";
import { scripted, testCall } from "../src/testing.ts";
import { tool } from "../src/tool.ts";
import { type Call, startCall, timeToClose } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { snapshot } from "./resume/snapshots.ts";
import { scriptedTextToSpeech } from "./fakes/providers.ts";

const greeting = "Hello! How can I help you?";

/** A voice that tells when it was given the first words of each reply. */
function toldVoice(clock = fakeClock()) {
  const voice = scriptedTextToSpeech([], clock);
  const askedMs: number[] = [];
  const tts: TextToSpeech = {
    ...voice,
    synthesize(text, options) {
      askedMs.push(clock.now());
      return voice.synthesize(text, options);
    },
  };
  return { clock, tts, askedMs };
}

function greeted(definition: Partial<AgentDefinition> = {}, { joinMs = 300, voice = toldVoice() } = {}) {
  const { clock, tts, askedMs } = voice;
  const call = startCall({ greeting, ...definition }, { clock, providers: { tts }, joinMs });
  const started: { readonly atMs: number; readonly totalMs: number }[] = [];
  void (async () => {
    for await (const event of call.session.events()) {
      if (event.type !== "agent-started-speaking") continue;
      started.push({ atMs: clock.now(), totalMs: event.latency.totalMs });
    }
  })();
  return { call, askedMs, started };
}

const saidTo = ({ session }: Call) => saidIn(session.history).map(({ role, text }) => [role, text]);

describe("an agent's greeting", () => {
  it("is made while the agent joins, and said once somebody is there to hear it", async () => {
    const { call, askedMs, started } = greeted();
    const beganMs = call.clock.now();
    call.room.enter("caller");
    await call.clock.advance(250);
    assertEquals([askedMs, started], [[beganMs], []]);
    await call.clock.advance(5_000);
    assertEquals(started, [{ atMs: beganMs + 300, totalMs: 0 }]);
    assertEquals(saidTo(call), [["assistant", greeting]]);
    await timeToClose(call);
    assertEquals(call.clock.pending, 0);
  });

  it("waits for whoever comes, however late, and comes before what the entry says", async () => {
    const { call, started } = greeted({ entry: ({ session }) => void session.say("What is your name?") });
    await call.clock.advance(60_000);
    assertEquals(started, []);
    call.room.enter("caller");
    await call.clock.advance(6_000);
    assertEquals(saidTo(call), [["assistant", greeting], ["assistant", "What is your name?"]]);
    await timeToClose(call);
  });

  it("can be interrupted: the history has what was heard of it, and the voice is told", async () => {
    const voice = toldVoice();
    const { synthesize } = voice.tts;
    const signals: AbortSignal[] = [];
    const tts: TextToSpeech = {
      ...voice.tts,
      synthesize(text, options) {
        signals.push(options.signal);
        return synthesize(text, options);
      },
    };
    const { call } = greeted({}, { voice: { ...voice, tts } });
    call.room.enter("caller");
    await call.clock.advance(300 + 700);
    call.session.interrupt();
    await call.clock.advance(1_000);
    const [said] = saidIn(call.session.history);
    assertEquals([said?.interrupted, said?.text], [true, "Hello! How can I"]);
    assertEquals(signals.map(({ aborted }) => aborted), [true]);
    await timeToClose(call);
    assertEquals(call.clock.pending, 0);
  });

  it("ends with a session that ends before anybody has heard it", async () => {
    for (const afterMs of [100, 1_000]) {
      const { call, started } = greeted();
      await call.clock.advance(afterMs);
      void call.joined.catch(() => {}); // it may be closed before it has joined
      await timeToClose(call);
      assertEquals([started, call.clock.pending], [[], 0]);
    }
  });

  it("that the voice cannot say is apologized for, and the call goes on", async () => {
    const voice = toldVoice();
    const { synthesize } = voice.tts;
    const broken: TextToSpeech = {
      ...voice.tts,
      synthesize: (text, options) =>
        voice.askedMs.length > 0 ? synthesize(text, options) : synthesize(text, options).pipeThrough(
          new TransformStream({
            transform: () => Promise.reject(new StageError("tts", "the voice failed", { retryable: true })),
          }),
        ),
    };
    const { call } = greeted({}, { voice: { ...voice, tts: broken } });
    call.room.enter("caller");
    await call.clock.advance(10_000);
    const [first] = saidIn(call.session.history);
    assertEquals(first?.text, "Sorry, something went wrong on my side. Could you say that again?");
    await timeToClose(call);
  });

  it("of a voice that throws at once is apologized for, too", async () => {
    const voice = toldVoice();
    let isFirst = true;
    const broken: TextToSpeech = {
      ...voice.tts,
      synthesize(text, options) {
        if (!isFirst) return voice.tts.synthesize(text, options);
        isFirst = false;
        throw new Error("the voice threw");
      },
    };
    const { call } = greeted({}, { voice: { ...voice, tts: broken } });
    call.room.enter("caller");
    await call.clock.advance(10_000);
    assertEquals(saidTo(call).length, 1);
    await timeToClose(call);
  });

  it("is not said where a session goes on: there the line that is said first is made meanwhile", async () => {
    const { clock, tts, askedMs } = toldVoice();
    const agent = { greeting, resumed: "There I am again." };
    const resume = { snapshot, inCharge: defineAgent({ instructions: "You are a test.", ...agent }) };
    const call = startCall(agent, { clock, providers: { tts }, joinMs: 300, resume });
    const beganMs = clock.now();
    call.room.enter("ann");
    await clock.advance(250);
    assertEquals(askedMs, [beganMs]);
    await clock.advance(100);
    assertEquals(call.room.played[0]?.fromMs, beganMs + 300);
    await clock.advance(5_000);
    assertEquals([saidTo(call), askedMs.length], [[["assistant", "There I am again."]], 1]);
    await timeToClose(call);
    assertEquals(clock.pending, 0);
  });

  it("is not said by an agent that is handed the conversation", async () => {
    const second = defineAgent({
      name: "second",
      instructions: "You are the second.",
      greeting: "Second here.",
    });
    const transfer = tool({ description: "Transfers the user", effect: "idempotent", execute: () => second });
    await using call = await testCall(
      defineAgent({ name: "first", instructions: "You are the first.", greeting, tools: { transfer } }),
      { llm: scripted([{ toolCalls: [{ name: "transfer" }] }, "Here I am."]) },
    );
    call.expect.said(greeting);
    await call.user("Somebody else, please.");
    call.expect.said("Here I am.");
  });
});
