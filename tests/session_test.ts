import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { saidIn } from "../src/history.ts";
import { defineAgent } from "../src/agent.ts";
import type { LanguageModel } from "../src/llm/llm.ts";
import { type Providers, startSession } from "../src/session.ts";
import type { SpeechToText } from "../src/stt/stt.ts";
import type { TextToSpeech } from "../src/tts/tts.ts";
import { startCall, talk, timeToClose, turnTaking } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { fakeLog } from "./fakes/log.ts";
import { scriptedLanguageModel } from "./fakes/providers.ts";
import { loudnessDetector } from "./fakes/speech.ts";

const never = <T>(): ReadableStream<T> => new ReadableStream<T>();
/** Providers that never answer, and do not even end when they are told to. */
const hung = {
  stt: {
    provider: "hung",
    model: "",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe: () => never(),
  } as SpeechToText,
  llm: { provider: "hung", model: "", generate: () => never() } as LanguageModel,
  tts: {
    provider: "hung",
    model: "",
    output: { sampleRate: 24_000, channels: 1 },
    synthesize: () => never(),
  } as TextToSpeech,
};

describe("a session", () => {
  const states: Record<string, { providers?: Partial<Providers>; greets?: boolean; afterMs: number }> = {
    "listening": { afterMs: 200 },
    "the user speaking": { afterMs: 600 },
    "thinking": { afterMs: 1500 },
    "speaking": { afterMs: 2000 },
    "greeting": { greets: true, afterMs: 200 },
    "a recognizer that hangs": { providers: { stt: hung.stt }, afterMs: 1500 },
    "a model that hangs": { providers: { llm: hung.llm }, afterMs: 2000 },
    "a voice that hangs": { providers: { tts: hung.tts }, afterMs: 2500 },
    "a voice that hangs in a greeting": { providers: { tts: hung.tts }, greets: true, afterMs: 500 },
  };
  it("tells why it ends before it leaves the room, which waits", async () => {
    const told = Promise.withResolvers<void>();
    let why: string | undefined;
    const call = startCall({}, {
      onLeave(reason) {
        why = reason;
        return told.promise;
      },
    });
    call.room.enter("caller");
    await call.clock.settle();
    void call.session.close("deleted");
    await call.clock.settle();
    assertEquals([why, call.room.closed.aborted], ["deleted", false]);
    told.resolve();
    await call.session.done;
    assertEquals(call.room.closed.aborted, true);
  });

  for (const [name, { providers = {}, greets = false, afterMs }] of Object.entries(states)) {
    it(`closes within 5 s, and leaves no timer, from: ${name}`, async () => {
      const call = startCall({
        entry: (ctx) => greets ? void ctx.session.say("Hello! Who is there?") : undefined,
      }, {
        providers,
      });
      call.room.enter("caller");
      await call.clock.settle();
      await talk(call, afterMs);
      assert(await timeToClose(call) <= 5000);
      assertEquals(call.session.state, "closed");
      assertEquals(await call.session.done, "closed");
      assertEquals(call.clock.pending, 0);
    });
  }

  it("closes while the room is still being joined, which is no failure", async () => {
    const clock = fakeClock();
    const log = fakeLog();
    const { session, joined } = startSession({
      id: "session",
      agentName: "test",
      agent: defineAgent({ instructions: "You are a test." }),
      providers: { ...hung, vad: loudnessDetector() },
      turnTaking,
      join: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      metadata: "",
      clock,
      log,
    });
    const rejected = assertRejects(() => joined, /the session has ended/);
    assert(await timeToClose({ session, clock }) <= 5000);
    await rejected;
    assertEquals(log.lines.filter(({ level }) => level === "error"), []);
  });

  it("tells the dispatch what went wrong when the agent fails to set up", async () => {
    const errors: string[] = [];
    const { joined, session, clock } = startCall({
      entry: () => Promise.reject(new Error("no database")),
      onError: (error) => void errors.push(`${error.stage}: ${error.message}`),
    });
    await assertRejects(() => joined, /no database/);
    await clock.advance(5000);
    assertEquals(await session.done, "error");
    assert(errors.includes("agent: no database"));
  });

  it("goes on when the agent's onError throws", async () => {
    const call = startCall({ onError: () => Promise.reject(new Error("the monitor is down")) }, {
      providers: {
        llm: scriptedLanguageModel([{ text: "", ttftMs: 100, tokenMs: 0, then: "fail" }], fakeClock()),
      },
    });
    call.room.enter("caller");
    await talk(call, 2000);
    assertEquals(call.session.state === "closed", false);
    await timeToClose(call);
  });

  it("gives its shutdown callbacks 10 s together, then ends all the same", async () => {
    const reasons: string[] = [];
    const call = startCall({
      entry(ctx) {
        ctx.addShutdownCallback((reason) => void reasons.push(reason));
        ctx.addShutdownCallback(() => Promise.reject(new Error("cannot save")));
        ctx.addShutdownCallback(() => new Promise(() => {}));
      },
    });
    await call.joined;
    const closed = call.session.close("shutdown");
    await call.clock.advance(9_900);
    assertEquals(call.session.state, "listening");
    await call.clock.advance(5_000);
    await closed;
    assertEquals(reasons, ["shutdown"]);
    assertEquals(call.clock.pending, 0);
  });

  it("remembers what was heard of an answer that was cut off", async () => {
    const call = startCall();
    call.room.enter("caller");
    await talk(call, 1900);
    call.session.interrupt();
    await call.clock.advance(100);
    const [user, assistant] = saidIn(call.session.history);
    assertEquals([user?.role, user?.text], ["user", "hello there"]);
    assertEquals([assistant?.role, assistant?.interrupted], ["assistant", true]);
    assertMatch(assistant?.text ?? "", /^Good day( to)?$/);
    await timeToClose(call);
  });

  it("hands its events to any number of readers, and closes them", async () => {
    const call = startCall({ entry: (ctx) => void ctx.session.say("Hi.") });
    const [first, second] = [Array.fromAsync(call.session.events()), Array.fromAsync(call.session.events())];
    call.room.enter("caller");
    await call.joined;
    await call.clock.advance(1000);
    await timeToClose(call);
    const types = (await first).map(({ type }) => type);
    assertEquals(types, (await second).map(({ type }) => type));
    assertEquals(types.at(-1), "closed");
    assert(types.includes("agent-speech-committed"));
    assertEquals(await Array.fromAsync(call.session.events()), []);
  });
});
