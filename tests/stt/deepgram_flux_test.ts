import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { type DeepgramFluxOptions, deepgramFluxSpeechToText } from "../../src/stt/deepgram_flux.ts";
import type { TranscriptEvent } from "../../src/stt/stt.ts";
import { type DeepgramEmulatorOptions, type Fault, startDeepgramEmulator } from "../emulators/deepgram.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import { collect, until } from "../fakes/stt.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

async function start(
  options: DeepgramEmulatorOptions = {},
  given: Partial<Omit<DeepgramFluxOptions, "clock">> = {},
) {
  const emulator = await startDeepgramEmulator({ listenDelayMs: 1, ...options });
  const clock = fakeClock();
  const stt = deepgramFluxSpeechToText({
    apiKey: "test-key",
    baseUrl: emulator.url,
    clock,
    log: silentLog,
    ...given,
  });
  const voice = voiceFeed();
  const abort = new AbortController();
  const events: TranscriptEvent[] = [];
  const done = collect(stt.transcribe(voice.stream, { signal: abort.signal }), events);
  const finals = () => events.filter((event) => event.type === "final");
  const messages = () => emulator.connections[0]?.messages ?? [];
  return { emulator, clock, voice, abort, events, done, finals, messages };
}

describe("Deepgram Flux", () => {
  it("asks for what it needs, with the key in a header", async () => {
    const { emulator, voice, done } = await start();
    await using _ = emulator;
    voice.end();
    assertEquals(await done, undefined);
    const [connection] = emulator.connections;
    assertEquals([connection?.path, connection?.authorization], ["/v2/listen", "Token test-key"]);
    assertEquals(Object.fromEntries(connection?.query ?? []), {
      model: "flux-general-en",
      encoding: "linear16",
      sample_rate: "16000",
      eot_threshold: "0.7",
      eager_eot_threshold: "0.5",
      eot_timeout_ms: "5000",
    });
  });

  it("gives its thresholds, and to the multilingual model the language as a hint", async () => {
    const { emulator, voice, done } = await start({}, {
      model: "flux-general-multi",
      language: "de-AT",
      endOfTurnThreshold: 0.6,
      eagerEndOfTurnThreshold: 0.4,
      endOfTurnTimeoutMs: 3_000,
    });
    await using _ = emulator;
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(Object.fromEntries(emulator.connections[0]?.query ?? []), {
      model: "flux-general-multi",
      encoding: "linear16",
      sample_rate: "16000",
      eot_threshold: "0.6",
      eager_eot_threshold: "0.4",
      eot_timeout_ms: "3000",
      language_hint: "de",
    });
  });

  const refused: readonly [Partial<DeepgramFluxOptions>, words: RegExp][] = [
    [{ endOfTurnThreshold: 0.4 }, /endOfTurnThreshold is 0.4; expected a number from 0.5 to 1/],
    [
      { endOfTurnThreshold: 0.6, eagerEndOfTurnThreshold: 0.8 },
      /expected no more than endOfTurnThreshold, 0.6/,
    ],
    [{ endOfTurnTimeoutMs: 200 }, /endOfTurnTimeoutMs is 200; expected a number from 500 to 60000/],
  ];
  for (const [given, words] of refused) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      const options = { apiKey: "k", clock: fakeClock(), log: silentLog, ...given };
      assertThrows(() => deepgramFluxSpeechToText(options), words);
    });
  }

  it("tells what a turn is likely to end with, and that it has ended", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({
      transcripts: ["What time is it?"],
    });
    await using _ = emulator;
    voice.speech(1200);
    voice.silence(400);
    await until(() => finals().length === 1, clock);
    const eager = events.filter((event) => event.type === "interim" && event.eager);
    assertEquals(eager[0], { type: "interim", text: "What time is it?", confidence: 0.99, eager: true });
    assertEquals(finals(), [{
      type: "final",
      text: "What time is it?",
      confidence: 0.99,
      words: ["What", "time", "is", "it?"].map((text, i) => ({
        text,
        confidence: 0.99,
        startMs: i * 300,
        endMs: (i + 1) * 300,
      })),
      endOfTurn: true,
      judged: true,
    }]);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(clock.pending, 0);
  });

  it("takes it back when the user goes on", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({
      transcripts: ["A table for | two."],
    });
    await using _ = emulator;
    voice.speech(900);
    voice.silence(300);
    voice.speech(400);
    voice.silence(400);
    await until(() => finals().length === 1, clock);
    const told = events.map((event) =>
      `${event.type === "interim" && event.eager ? "likely " : ""}${event.text}`
    );
    const at = told.indexOf("likely A table for");
    assert(at > 0 && told.indexOf("A table for two.") > at, told.join("\n"));
    assertEquals(finals().map(({ text }) => text), ["A table for two."]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("says that only a silence has ended it", async () => {
    const { emulator, clock, voice, done, finals } = await start({ transcripts: ["A table for | two."] }, {
      endOfTurnTimeoutMs: 500,
    });
    await using _ = emulator;
    voice.speech(900);
    voice.silence(600);
    await until(() => finals().length === 1, clock);
    const [{ text, endOfTurn, judged } = { text: "" }] = finals();
    assertEquals([text, endOfTurn, judged], ["A table for", true, undefined]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("answers a request for the final words with those of all that was sent, and tells none of them twice", async () => {
    const { emulator, clock, voice, done, events, finals } = await start({
      transcripts: ["My number is | four two."],
    });
    await using _ = emulator;
    voice.speech(900);
    voice.silence(160);
    voice.finalize();
    await clock.settle();
    assertEquals(finals(), []);
    voice.silence(160);
    await until(() => finals().length === 1, clock);
    const [{ text, asked, endOfTurn } = { text: "" }] = finals();
    assertEquals([text, asked, endOfTurn], ["My number is", true, undefined]);
    voice.speech(600);
    voice.silence(400);
    await until(() => finals().length === 2, clock);
    assertEquals(finals()[1]?.text, "four two.");
    assert(events.some(({ type, text }) => type === "interim" && text === "four"));
    voice.end();
    assertEquals(await done, undefined);
  });

  it("says when there are no words to ask for, and takes those there are when no answer comes", async () => {
    const { emulator, clock, voice, done, events, finals } = await start();
    await using _ = emulator;
    voice.finalize();
    await until(() => clock.pending === 2, clock);
    await clock.advance(1_000);
    assertEquals(events, [{ type: "interim", text: "", asked: true }]);
    voice.speech(800);
    voice.finalize();
    await until(() => events.at(-1)?.text === "Hello there.", clock);
    await clock.advance(1_000);
    await until(() => finals().length === 1, clock);
    assertEquals(finals().map(({ text, asked }) => [text, asked]), [["Hello there.", true]]);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals().length, 1);
  });

  it("is to be surer while something is dictated", async () => {
    const { emulator, clock, voice, done, messages, finals } = await start({}, { endOfTurnThreshold: 0.8 });
    await using _ = emulator;
    const thresholds = (eot_threshold: number) => ({
      type: "Configure",
      thresholds: { eot_threshold, eager_eot_threshold: 0.5, eot_timeout_ms: 5_000 },
    });
    voice.mark("speech-start", true);
    voice.speech(600);
    voice.mark("speech-start", true);
    voice.silence(400);
    voice.mark("speech-start");
    await until(() => finals().length === 1, clock);
    await until(() => messages().length === 2, clock);
    assertEquals(messages() as unknown, [thresholds(0.9), thresholds(0.8)]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("sends pieces of 80 ms, and what is left before it closes", async () => {
    const { emulator, voice, done } = await start();
    await using _ = emulator;
    voice.speech(300);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(emulator.connections[0]?.audioBytes, 320 * 32);
  });

  it("takes its last words when the voice ends, though they are not final", async () => {
    const { emulator, clock, voice, done, finals, messages } = await start();
    await using _ = emulator;
    voice.speech(900);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals().map(({ text }) => text), ["Hello there."]);
    assertEquals(messages().map(({ type }) => type), ["CloseStream"]);
    assertEquals(clock.pending, 0);
  });

  it("keeps a connection with pings on which no audio comes any more", async () => {
    const { emulator, clock, voice, done } = await start();
    await using _ = emulator;
    voice.silence(80);
    await until(() => (emulator.connections[0]?.audioBytes ?? 0) > 0, clock);
    for (let pings = 1; pings <= 3; pings++) {
      await clock.advance(20_000);
      await until(() => emulator.connections[0]?.pings === pings, clock);
    }
    voice.end();
    assertEquals(await done, undefined);
  });

  it("fails when its signal does, and leaves nothing", async () => {
    const { emulator, clock, voice, abort, done } = await start();
    await using _ = emulator;
    voice.speech(200);
    await until(() => (emulator.connections[0]?.audioBytes ?? 0) > 0, clock);
    const reason = new Error("over");
    abort.abort(reason);
    assertEquals(await done, reason);
    assert(voice.cancelled);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  const faults: readonly [Fault, message: RegExp, retryable: boolean][] = [
    [{ type: "status", status: 401 }, /refused the key \(401\): check DEEPGRAM_API_KEY/, false],
    [{ type: "close", code: 1005, afterMs: 200 }, /closed the connection with code 1005/, true],
    [{ type: "close", code: 1011, reason: "NET-0001", afterMs: 200 }, /code 1011: NET-0001/, true],
    [{ type: "malformed", text: "no {JSON", afterMs: 200 }, /sent a message that is none/, true],
    [{ type: "malformed", text: '{"type":"TurnInfo"}', afterMs: 200 }, /sent a message that is none/, true],
    [
      { type: "malformed", text: '{"type":"Error","code":"X","description":"broken"}', afterMs: 200 },
      /Deepgram failed: broken \(X\)/,
      true,
    ],
  ];
  for (const [fault, message, retryable] of faults) {
    it(`fails as it should: ${message.source}`, async () => {
      const { emulator, clock, voice, done } = await start({ fault: () => fault });
      await using _ = emulator;
      voice.speech(400);
      const error = await done;
      assert(error instanceof StageError);
      assertMatch(error.message, message);
      assertEquals([error.stage, error.retryable, error.refused], [
        "stt",
        retryable,
        /refused/.test(message.source),
      ]);
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }
});
