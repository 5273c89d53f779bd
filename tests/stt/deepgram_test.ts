import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { deepgramSpeechToText } from "../../src/stt/deepgram.ts";
import { reconnecting } from "../../src/stt/reconnecting.ts";
import type { TranscriptEvent } from "../../src/stt/stt.ts";
import { type DeepgramEmulatorOptions, type Fault, startDeepgramEmulator } from "../emulators/deepgram.ts";
import { fakeClock } from "../fakes/clock.ts";
import { collect, until } from "../fakes/stt.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

const apiKey = "test-key";

async function start(options: DeepgramEmulatorOptions = {}, key = apiKey) {
  const emulator = await startDeepgramEmulator({ listenDelayMs: 1, ...options });
  const clock = fakeClock();
  const stt = deepgramSpeechToText({ apiKey: key, baseUrl: emulator.url, language: "en", clock });
  const voice = voiceFeed();
  const abort = new AbortController();
  const events: TranscriptEvent[] = [];
  const done = collect(stt.transcribe(voice.stream, { signal: abort.signal }), events);
  const finals = () => events.filter(({ type }) => type === "final").map(({ text }) => text);
  return { emulator, clock, voice, abort, events, done, finals };
}

describe("Deepgram, listening", () => {
  it("asks for what it needs, with the key in a header", async () => {
    const { emulator, voice, done } = await start();
    await using _ = emulator;
    voice.end();
    assertEquals(await done, undefined);
    const [connection] = emulator.connections;
    assertEquals(connection?.authorization, "Token test-key");
    assertEquals(Object.fromEntries(connection?.query ?? []), {
      model: "nova-3",
      language: "en",
      encoding: "linear16",
      sample_rate: "16000",
      channels: "1",
      interim_results: "true",
      punctuate: "true",
      endpointing: "25",
    });
  });

  it("tells interims and finals with their words, and closes when the voice ends", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({
      transcripts: ["What time is it?", "And where?"],
    });
    await using _ = emulator;
    voice.utterance(1200);
    voice.utterance(800);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["What time is it?", "And where?"]);
    assertEquals(events[0], { type: "interim", text: "What", confidence: 0.99 });
    const [first] = events.filter((event) => event.type === "final");
    assertEquals(first?.words?.map(({ text, startMs }) => [text, startMs]), [
      ["What", 0],
      ["time", 300],
      ["is", 600],
      ["it?", 900],
    ]);
    assertEquals(first?.confidence, 0.99);
    await emulator.idle();
    assertEquals(emulator.connections[0]?.closed, 1000);
    assertEquals(emulator.connections[0]?.messages.map(({ type }) => type), ["CloseStream"]);
    assertEquals(emulator.connections[0]?.audioBytes, (1200 + 800 + 2 * 260) * 32);
    assertEquals(clock.pending, 0);
  });

  for (const end of ["speech_final", "from_finalize"] as const) {
    it(`reads what a message says: the language, words as they are spelt, what has ended it (${end})`, async () => {
      const results = {
        type: "Results",
        start: 0.1,
        duration: 0.8004,
        is_final: true,
        [end]: true,
        channel: {
          alternatives: [{
            transcript: " Good day, ",
            confidence: 0.7,
            languages: ["en", "de"],
            words: [
              { word: "good", start: 0.1, end: 0.3996, confidence: 0.8, punctuated_word: "Good" },
              { word: "day,", start: 0.4, end: 0.9, confidence: 0.6 },
            ],
          }],
        },
      };
      const { emulator, voice, done, events } = await start({
        fault: () => ({ type: "malformed", text: JSON.stringify(results), afterMs: 100 }),
      });
      await using _ = emulator;
      voice.silence(100);
      voice.end();
      assertEquals(await done, undefined);
      assertEquals(events, [{
        type: "final",
        text: "Good day,",
        confidence: 0.7,
        language: "en",
        words: [
          { text: "Good", startMs: 100, endMs: 400, confidence: 0.8 },
          { text: "day,", startMs: 400, endMs: 900, confidence: 0.6 },
        ],
        ...(end === "speech_final" ? { endOfTurn: true } : { asked: true }),
      }]);
    });
  }

  it("joins the pieces of an utterance", async () => {
    const { emulator, voice, done, events } = await start({
      transcripts: ["My number is | four two | one."],
    });
    await using _ = emulator;
    voice.utterance(600);
    voice.end();
    await done;
    assertEquals(events.slice(-3).map(({ type, text }) => [type, text]), [
      ["interim", "My number is"],
      ["interim", "My number is four two"],
      ["final", "My number is four two one."],
    ]);
  });

  it("has words finalized that wait when the speech ends", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({ minEndpointMs: Infinity });
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(800);
    await until(() => events.length > 0, clock);
    voice.mark("speech-end");
    await until(() => finals().length > 0, clock);
    assertEquals(finals(), ["Hello there."]);
    assertEquals(emulator.connections[0]?.messages.map(({ type }) => type), ["Finalize"]);
    assertEquals(clock.pending, 1, "only KeepAlive waits");
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["Hello there."]);
  });

  it("has words finalized when it is asked to, and says when there were none", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({
      minEndpointMs: Infinity,
      transcripts: ["What time", "is it?"],
    });
    await using _ = emulator;
    const answers = () => events.filter(({ asked }) => asked).map(({ type, text }) => `${type} ${text}`);
    voice.mark("speech-start");
    voice.speech(800);
    voice.finalize();
    await until(() => answers().length === 1, clock);
    voice.finalize();
    await until(() => answers().length === 2, clock);
    assertEquals(answers(), ["final What time", "interim "]);
    assertEquals(clock.pending, 1, "only KeepAlive waits");
    voice.speech(400);
    await until(() => events.at(-1)?.text === "is", clock);
    voice.mark("speech-end");
    await until(() => finals().length === 2, clock);
    assertEquals(finals(), ["What time", "is it?"]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("sends KeepAlive every 4 s while there is no audio, and none while there is", async () => {
    const { emulator, clock, voice, done } = await start();
    await using _ = emulator;
    const messages = () => emulator.connections[0]?.messages.length ?? 0;
    voice.silence(100);
    await until(() => emulator.connections[0]?.audioBytes === 3200, clock);
    await clock.advance(4_000);
    assertEquals(messages(), 0);
    await clock.advance(4_000);
    await until(() => messages() === 1, clock);
    await clock.advance(4_000);
    await until(() => messages() === 2, clock);
    assertEquals(emulator.connections[0]?.messages[0], { type: "KeepAlive" });
    voice.end();
    await done;
  });

  const faults: Record<string, { fault: Fault; message: RegExp; retryable: boolean; key?: string }> = {
    "a refused key": {
      fault: { type: "status", status: 401 },
      message: /^Deepgram refused the key \(401\): check DEEPGRAM_API_KEY$/,
      retryable: false,
    },
    "too many connections": { fault: { type: "status", status: 429 }, message: /429/, retryable: true },
    "a model it does not know": {
      fault: { type: "status", status: 400 },
      message: /model/,
      retryable: false,
    },
    "trouble of its own": { fault: { type: "status", status: 503 }, message: /503/, retryable: true },
    "no answer at the door": { fault: { type: "refuse" }, message: /cannot be reached/, retryable: true },
    "a close with NET-0001": {
      fault: { type: "close", code: 1011, reason: "NET-0001", afterMs: 200 },
      message: /code 1011: NET-0001/,
      retryable: true,
    },
    "a close without a code": {
      fault: { type: "close", code: 1005, afterMs: 200 },
      message: /1005/,
      retryable: true,
    },
    "a lost connection": {
      fault: { type: "close", code: 1006, afterMs: 200 },
      message: /1006/,
      retryable: true,
    },
    "a normal close too early": {
      fault: { type: "close", code: 1000, afterMs: 200 },
      message: /1000/,
      retryable: true,
    },
    "what is not JSON": {
      fault: { type: "malformed", text: "{oops", afterMs: 200 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "results without any": {
      fault: { type: "malformed", text: '{"type":"Results"}', afterMs: 200 },
      message: /sent a message that is none/,
      retryable: true,
    },
  };
  for (const [name, { fault, message, retryable }] of Object.entries(faults)) {
    it(`fails in words, and leaves nothing behind: ${name}`, async () => {
      const { emulator, clock, voice, done } = await start({ fault: () => fault });
      await using _ = emulator;
      voice.utterance(400);
      const error = await done;
      assert(error instanceof StageError);
      assertEquals([error.stage, error.retryable], ["stt", retryable]);
      assertMatch(error.message, message);
      assert(!JSON.stringify([error.message, error.stack, String(error.cause)]).includes(apiKey));
      await emulator.idle();
      assertEquals(clock.pending, 0);
      assert(voice.cancelled);
    });
  }

  it("does not let a wrong key out", async () => {
    const { emulator, done } = await start({}, "wrong-secret");
    await using _ = emulator;
    const error = await done;
    assert(error instanceof StageError);
    assertMatch(error.message, /check DEEPGRAM_API_KEY/);
    assert(!Deno.inspect(error).includes("wrong-secret"));
  });

  for (
    const [name, fault] of [["during the handshake", "no-handshake"], [
      "of a dead peer",
      "half-open",
    ]] as const
  ) {
    it(`lets go at once when aborted ${name}`, async () => {
      const { emulator, clock, voice, abort, done } = await start({ fault: () => ({ type: fault }) });
      await using _ = emulator;
      voice.utterance(400);
      await until(() => emulator.open === 1, clock);
      abort.abort(new DOMException("over", "AbortError"));
      assertEquals(await done, abort.signal.reason);
      assertEquals(clock.pending, 0);
      await emulator.idle();
      assert(voice.cancelled);
    });
  }

  it("lets go when it was aborted before it began, or nobody reads", async () => {
    await using emulator = await startDeepgramEmulator();
    const clock = fakeClock();
    const stt = deepgramSpeechToText({ apiKey, baseUrl: emulator.url, clock });
    const aborted = stt.transcribe(voiceFeed().stream, { signal: AbortSignal.abort("early") });
    assertEquals(await collect(aborted, []), "early");
    const voice = voiceFeed();
    await stt.transcribe(voice.stream, { signal: new AbortController().signal }).cancel();
    assert(voice.cancelled);
    await clock.settle();
    await emulator.idle();
    assertEquals([clock.pending, emulator.connections.length], [0, 0]);
  });

  it("loses no word and doubles none when a connection drops in an utterance and is replaced", async () => {
    await using emulator = await startDeepgramEmulator({
      listenDelayMs: 1,
      transcripts: ["One two three.", "Four five."],
      fault: (_, n) => n === 0 ? { type: "close", code: 1006, afterMs: 1_800 } : undefined,
    });
    const clock = fakeClock();
    const errors: string[] = [];
    const stt = deepgramSpeechToText({ apiKey, baseUrl: emulator.url, clock });
    const hearing = reconnecting(stt, { clock, onError: ({ message }) => void errors.push(message) });
    const voice = voiceFeed();
    const events: TranscriptEvent[] = [];
    const done = collect(hearing.transcribe(voice.stream, { signal: new AbortController().signal }), events);
    const finals = () => events.filter(({ type }) => type === "final").map(({ text }) => text);
    voice.utterance(1_000);
    await until(() => finals().length === 1, clock);
    voice.mark("speech-start");
    voice.speech(800);
    await until(() => errors.length === 1, clock);
    voice.speech(200);
    voice.silence(260);
    voice.mark("speech-end");
    await until(() => finals().length === 2, clock);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["One two three.", "Four five."]);
    assertMatch(errors.join(), /code 1006/);
    const last = events.findLast((event) => event.type === "final");
    assertEquals(last?.words?.at(-1)?.endMs, 1_000 + 260 + 1_000);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("gives up on last words that do not come", async () => {
    const { emulator, clock, voice, done } = await start({
      fault: () => ({ type: "slow-reader", ms: 600_000, afterMs: 100 }),
    });
    await using _ = emulator;
    voice.utterance(400);
    await until(() => (emulator.connections[0]?.audioBytes ?? 0) > 0, clock);
    voice.end();
    await clock.settle();
    await clock.advance(2_000);
    const error = await done;
    assert(error instanceof StageError);
    assertMatch(error.message, /last words within 2 s/);
    assertEquals(clock.pending, 0);
    emulator.drop(); // it does not read that the connection was closed
    await emulator.idle();
  });
});
