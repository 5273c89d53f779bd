/** What the agent's own code says, and when: in every state of a session, and with every kind of stream. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../src/agent.ts";
import { saidIn } from "../src/history.ts";
import type { LanguageModel } from "../src/llm/llm.ts";
import { startSession } from "../src/session.ts";
import type { SpeechHandle, SpeechResult, VoiceSession } from "../src/voice_session.ts";
import { type Call, startCall, talk, timeToClose, turnTaking } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { silentLog } from "./fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "./fakes/providers.ts";
import { loudnessDetector } from "./fakes/speech.ts";

/** A call whose caller is there, after `untilMs` of it. */
async function callAt(untilMs: number, definition: Partial<AgentDefinition> = {}, given = {}): Promise<Call> {
  const call = startCall(definition, given);
  call.room.enter("caller");
  await call.clock.advance(100);
  await call.joined;
  await talk(call, untilMs);
  return call;
}

/** Lets time pass until `handle` settles, for `ms` at the most. */
async function outcome({ clock }: Call, handle: SpeechHandle, ms = 20_000): Promise<SpeechResult> {
  let result: SpeechResult | undefined;
  void handle.done.then((settled) => result = settled);
  for (let i = 0; i < ms / 100 && !result; i++) await clock.advance(100);
  assert(result, "the handle did not settle");
  return result;
}

describe("say()", () => {
  it("can be awaited, itself or its `done`: what was heard, and that it was not cut", async () => {
    const results: SpeechResult[] = [];
    const call = await callAt(0, {
      async entry({ session }) {
        results.push(await session.say("Hello there."), await session.say("And again.").done);
      },
    });
    await call.clock.advance(3_000);
    assertEquals(results, [
      { text: "Hello there.", interrupted: false },
      { text: "And again.", interrupted: false },
    ]);
    await timeToClose(call);
  });

  it("is made while whoever is there is about to hear it, and not heard before; what is taken back is dropped", async () => {
    for (const takenBack of [false, true]) {
      let handle: SpeechHandle | undefined;
      const call = startCall({ entry: ({ session }) => void (handle = session.say("Hello there.")) });
      call.room.audible = () => call.clock.sleep(500);
      call.room.enter("caller");
      const started: number[] = [];
      void (async () => {
        for await (const event of call.session.events()) {
          if (event.type === "agent-started-speaking") started.push(event.latency.totalMs);
        }
      })();
      await call.clock.advance(400);
      assertEquals(call.room.played.length, 0);
      if (takenBack) handle?.interrupt();
      await call.clock.advance(2_000);
      assertEquals(started, takenBack ? [] : [0]); // the voice takes 80 ms
      assertEquals(saidIn(call.session.history).map(({ text }) => text), takenBack ? [] : ["Hello there."]);
      await timeToClose(call);
      assertEquals(call.clock.pending, 0);
    }
  });

  it("waits for somebody to be there", async () => {
    const call = startCall({ entry: ({ session }) => void session.say("Hello there.") });
    await call.joined;
    await call.clock.advance(60_000);
    assertEquals([call.room.played.length, call.session.state], [0, "listening"]);
    call.room.enter("caller");
    await call.clock.advance(1_000);
    assertEquals(saidIn(call.session.history).map(({ text }) => text), ["Hello there."]);
    await timeToClose(call);
  });

  it("throws before the agent is in the room", () => {
    const clock = fakeClock();
    const { session, joined } = startSession({
      id: "session",
      agentName: "test",
      agent: defineAgent({ instructions: "You are a test." }),
      providers: {
        vad: loudnessDetector(),
        stt: scriptedSpeechToText([], clock),
        llm: scriptedLanguageModel([], clock),
        tts: scriptedTextToSpeech([], clock),
      },
      turnTaking,
      join: () => new Promise(() => {}),
      metadata: "",
      clock,
      log: silentLog,
    });
    void joined;
    assertThrows(() => session.say("Hello."), /say\(\): the agent is not in the room yet/);
    assertThrows(() => session.generateReply(), /generateReply\(\): the agent is not in the room yet/);
  });

  it("says nothing once the session has ended, and the handle settles at once", async () => {
    const call = await callAt(0);
    await timeToClose(call);
    const stream = ReadableStream.from(["Hello."]);
    for (
      const handle of [call.session.say("Hello."), call.session.say(stream), call.session.generateReply()]
    ) {
      assertEquals(await handle, { text: "", interrupted: true });
    }
    assertEquals(await stream.getReader().read(), { done: true, value: undefined });
    assertEquals(call.session.history, []);
  });

  it("says goodbye in a shutdown callback when somebody is there, and delays nothing when nobody is", async () => {
    for (const someone of [true, false]) {
      const call = startCall({
        entry: ({ session, addShutdownCallback }) =>
          addShutdownCallback(async () => void await session.say("Goodbye.")),
      });
      if (someone) call.room.enter("caller");
      await call.joined;
      await call.clock.settle();
      const tookMs = await timeToClose(call);
      assertEquals(saidIn(call.session.history).map(({ text }) => text), someone ? ["Goodbye."] : []);
      assert(someone ? tookMs >= 250 : tookMs <= 100, `${tookMs} ms`);
    }
  });

  it("can be called from every callback", async () => {
    const never = { interruptible: false };
    let session: VoiceSession | undefined;
    const call = await callAt(4_000, {
      onError: () => void session?.say("There was an error."),
      entry: (ctx) =>
        void (session = ctx.session).say("Hi.", never).then(() => session?.say("First.", never)),
    }, {
      providers: {
        llm: { provider: "", model: "", generate: () => broken() } as LanguageModel,
      },
    });
    await call.clock.advance(10_000);
    const said = saidIn(call.session.history).filter(({ role }) => role === "assistant").map(({ text }) =>
      text
    );
    assertEquals(said, [
      "Hi.",
      "First.",
      "Sorry, something went wrong on my side. Could you say that again?",
      "There was an error.",
    ]);
    await timeToClose(call);
  });

  it("says nothing of an empty text, and does not apologize for it", async () => {
    const call = await callAt(0);
    for (const text of ["", ReadableStream.from<string>([]), ReadableStream.from(["  "])]) {
      assertEquals((await outcome(call, call.session.say(text))).interrupted, false);
    }
    assertEquals([call.room.played.length, call.session.history.length], [0, 0]);
    await timeToClose(call);
  });

  it("refuses a stream that is being read already", async () => {
    const call = await callAt(0);
    const stream = ReadableStream.from(["Hello."]);
    stream.getReader();
    assertThrows(() => call.session.say(stream), /is being read already/);
    await timeToClose(call);
  });

  it("lets go of a stream that is cut off, dropped from the line, or left when the session ends", async () => {
    const call = await callAt(0);
    const streams = ["cut", "dropped", "left"].map((name) => {
      const state = { name, cancelled: false, stream: new ReadableStream<string>() };
      state.stream = new ReadableStream({
        start: (controller) => controller.enqueue("These are the first words, "),
        cancel: () => void (state.cancelled = true),
      });
      return state;
    });
    const [cut, dropped, left] = streams.map(({ stream }) => call.session.say(stream));
    await call.clock.advance(500);
    dropped!.interrupt();
    cut!.interrupt();
    await call.clock.advance(100);
    assertEquals(streams.map(({ cancelled }) => cancelled), [true, true, false]);
    assertEquals([(await cut!).interrupted, await dropped], [true, { text: "", interrupted: true }]);
    await call.clock.advance(500);
    await timeToClose(call);
    assertEquals([streams[2]!.cancelled, (await left!).interrupted], [true, true]);
    assertEquals(call.clock.pending, 0);
  });

  it("tells what failed: a stream, a stalled stream, a voice", async () => {
    const failing: Record<string, ReadableStream<string>> = {
      "agent: no words": broken(),
      "agent: no progress for 8000 ms": new ReadableStream(),
    };
    for (const [expected, stream] of Object.entries(failing)) {
      const call = await callAt(0);
      const { error, text } = await outcome(call, call.session.say(stream));
      assertEquals([`${error?.stage}: ${error?.message}`, text], [expected, ""]);
      await timeToClose(call);
    }
    const clock = fakeClock();
    const call = await callAt(0, {}, { clock, providers: { tts: scriptedTextToSpeech(["fail"], clock) } });
    const { error } = await outcome(call, call.session.say("Hello."));
    assertEquals([error?.stage, error?.message], ["tts", "the voice failed"]);
    await timeToClose(call);
  });

  it("stays out of the history when it is told to", async () => {
    const call = await callAt(0);
    assertEquals((await outcome(call, call.session.say("Secret.", { addToHistory: false }))).text, "Secret.");
    assertEquals(call.session.history, []);
    await timeToClose(call);
  });

  it("is not stopped by the user when it is uninterruptible, but by the agent's own code", async () => {
    const call = await callAt(0);
    const handle = call.session.say("This is an announcement of nine words in all.", {
      interruptible: false,
    });
    await talk(call, 1_200);
    assertEquals(call.session.state, "speaking");
    call.session.interrupt();
    assertMatch((await handle).text, /^This is an/);
    await timeToClose(call);
  });
});

describe("generateReply()", () => {
  it("asks the model with the conversation, the input and the instructions, and hands on the choice of tools", async () => {
    const clock = fakeClock();
    const requests: Parameters<LanguageModel["generate"]>[0][] = [];
    const scripted = scriptedLanguageModel([{ text: "Gladly.", ttftMs: 100, tokenMs: 10 }], clock);
    const llm: LanguageModel = {
      ...scripted,
      generate(request, options) {
        requests.push(request);
        return scripted.generate(request, options);
      },
    };
    const call = await callAt(0, {}, { clock, providers: { llm } });
    const options = { instructions: "Be brief.", userInput: "Help me.", toolChoice: "none" } as const;
    assertEquals(await outcome(call, call.session.generateReply(options)), {
      text: "Gladly.",
      interrupted: false,
    });
    assertEquals(requests, [{
      messages: [
        { role: "system", content: "You are a test." },
        { role: "user", content: "Help me." },
        { role: "system", content: "Be brief." },
      ],
      toolChoice: "none",
    }]);
    await outcome(call, call.session.generateReply());
    assertEquals(requests[1]?.messages.map(({ content }) => content), [
      "You are a test.",
      "Help me.",
      "Gladly.",
    ]);
    assertEquals("toolChoice" in requests[1]!, false);
    await timeToClose(call);
  });

  it("apologizes for a model that fails, even where it throws", async () => {
    const llm = {
      provider: "",
      model: "",
      generate() {
        throw new Error("no model");
      },
    };
    const call = await callAt(0, {}, { providers: { llm } });
    const { error } = await outcome(call, call.session.generateReply());
    assertEquals([error?.stage, error?.message], ["llm", "no model"]);
    await call.clock.advance(5_000);
    assertMatch(saidIn(call.session.history).at(-1)?.text ?? "", /^Sorry/);
    await timeToClose(call);
  });
});

/** A stream that fails in place of its first words. */
function broken<T>(): ReadableStream<T> {
  return new ReadableStream({ pull: (controller) => controller.error(new Error("no words")) });
}
