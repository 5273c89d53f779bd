import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { assemblyaiSpeechToText, type AssemblyAISpeechToTextOptions } from "../../src/stt/assemblyai.ts";
import type { TranscriptEvent } from "../../src/stt/stt.ts";
import { type AssemblyAIEmulatorOptions, startAssemblyAIEmulator } from "../emulators/assemblyai.ts";
import type { Fault } from "../emulators/socket_server.ts";
import { fakeClock } from "../fakes/clock.ts";
import { collect, until } from "../fakes/stt.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

async function start(
  options: AssemblyAIEmulatorOptions = {},
  given: Partial<Omit<AssemblyAISpeechToTextOptions, "clock">> = {},
) {
  const emulator = await startAssemblyAIEmulator({ listenDelayMs: 1, ...options });
  const clock = fakeClock();
  const stt = assemblyaiSpeechToText({ apiKey: "test-key", baseUrl: emulator.url, clock, ...given });
  const voice = voiceFeed();
  const abort = new AbortController();
  const events: TranscriptEvent[] = [];
  const done = collect(stt.transcribe(voice.stream, { signal: abort.signal }), events);
  const finals = () => events.filter((event) => event.type === "final");
  const messages = () => emulator.connections[0]?.messages ?? [];
  return { emulator, clock, voice, abort, events, done, finals, messages };
}

describe("AssemblyAI", () => {
  const queries: readonly [
    Partial<AssemblyAISpeechToTextOptions>,
    Record<string, string>,
  ][] = [
    [{}, {}],
    [{ language: "en-GB", endpointingMs: 500 }, { min_turn_silence: "500" }],
    [{ language: "de", endOfTurnThreshold: 0.7, endOfTurnTimeoutMs: 2_000 }, {
      speech_model: "universal-streaming-multilingual",
      end_of_turn_confidence_threshold: "0.7",
      max_turn_silence: "2000",
      language_detection: "true",
    }],
    [{ model: "universal-3-5-pro" }, { speech_model: "universal-3-5-pro" }],
  ];
  for (const [given, query] of queries) {
    it(`asks for what it needs with ${JSON.stringify(given)}`, async () => {
      const { emulator, voice, done } = await start({}, given);
      await using _ = emulator;
      voice.end();
      assertEquals(await done, undefined);
      assertEquals(Object.fromEntries(emulator.connections[0]?.query ?? []), {
        speech_model: "universal-streaming-english",
        encoding: "pcm_s16le",
        sample_rate: "16000",
        format_turns: "false",
        end_of_turn_confidence_threshold: "0.4",
        min_turn_silence: "160",
        max_turn_silence: "1280",
        ...query,
      });
    });
  }

  it("tells interims and finals with their words, and closes when the voice ends", async () => {
    const { emulator, clock, voice, done, events, finals, messages } = await start({
      transcripts: ["What time is it?", "And where?"],
    });
    await using _ = emulator;
    voice.utterance(1200);
    voice.utterance(800);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(events[0], { type: "interim", text: "what", confidence: 0.99 });
    assertEquals(finals().map(({ text, endOfTurn }) => [text, endOfTurn]), [
      ["what time is it", true],
      ["and where", true],
    ]);
    assertEquals(finals()[0]?.words?.map(({ text, startMs }) => [text, startMs]), [
      ["what", 0],
      ["time", 300],
      ["is", 600],
      ["it", 900],
    ]);
    assertEquals(messages().map(({ type }) => type), ["Terminate"]);
    await emulator.idle();
    assertEquals(emulator.connections[0]?.closed, 1000);
    assertEquals(clock.pending, 0);
  });

  it("sends 50 ms of audio at the least, with silence behind what is left of it", async () => {
    const { emulator, voice, done } = await start();
    await using _ = emulator;
    voice.speech(140);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(emulator.connections[0]?.audioMs, [60, 60, 50]);
  });

  it("has the turn ended when it is asked for the final words", async () => {
    const { emulator, clock, voice, done, events, finals, messages } = await start({
      transcripts: ["Four | two."],
    });
    await using _ = emulator;
    voice.speech(300);
    voice.silence(80);
    await until(() => events.length > 0, clock);
    voice.finalize();
    await until(() => finals().length === 1, clock);
    assertEquals(finals().map(({ text, asked, endOfTurn }) => [text, asked, endOfTurn]), [[
      "four",
      true,
      undefined,
    ]]);
    assertEquals(messages(), [{ type: "ForceEndpoint" }]);
    assertEquals(clock.pending, 1, "only the next ping waits");
    voice.end();
    assertEquals(await done, undefined);
  });

  it("says that no words have come, when none do", async () => {
    const { emulator, clock, voice, done, events } = await start();
    await using _ = emulator;
    voice.finalize();
    await until(() => clock.pending === 2, clock);
    await clock.advance(1_000);
    assertEquals(events, [{ type: "interim", text: "", asked: true }]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("waits longer in pauses while something is dictated", async () => {
    const { emulator, clock, voice, done, messages } = await start();
    await using _ = emulator;
    voice.mark("speech-start", true);
    voice.speech(200);
    voice.mark("speech-start");
    await until(() => messages().length === 2, clock);
    assertEquals(messages() as unknown, [
      { type: "UpdateConfiguration", min_turn_silence: 1_000, max_turn_silence: 3_000 },
      { type: "UpdateConfiguration", min_turn_silence: 160, max_turn_silence: 1_280 },
    ]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("fails when its signal does, and leaves nothing", async () => {
    const { emulator, clock, voice, abort, done } = await start();
    await using _ = emulator;
    voice.speech(200);
    await until(() => (emulator.connections[0]?.audioMs.length ?? 0) > 0, clock);
    const reason = new Error("over");
    abort.abort(reason);
    assertEquals(await done, reason);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  const errors: readonly [
    code: number,
    text: string,
    message: RegExp,
    retryable: boolean,
    refused: boolean,
  ][] = [
    [
      1008,
      "Unauthorized Connection: Invalid API key",
      /refused the key \(401\): check ASSEMBLYAI_API_KEY/,
      false,
      true,
    ],
    [1008, "Insufficient account balance", /no credit left/, false, false],
    [1008, "Too many concurrent sessions", /\(429\)/, true, false],
    [3005, "Session Cancelled: An error occurred", /failed: Session Cancelled: .* \(3005\)/, true, false],
    [3006, "Invalid 'speech_model'", /failed: Invalid 'speech_model' \(3006\)/, false, false],
    [3008, "Session Expired", /\(3008\)/, true, false],
  ];
  for (const [error_code, error, message, retryable, refused] of errors) {
    it(`says what it was told once it was connected: ${error}`, async () => {
      const { emulator, clock, done } = await start({ error: { error_code, error } });
      await using _ = emulator;
      const failure = await done;
      assert(failure instanceof StageError);
      assertMatch(failure.message, message);
      assertEquals([failure.stage, failure.retryable, failure.refused], ["stt", retryable, refused]);
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }

  const faults: readonly [Fault, RegExp][] = [
    [{ type: "status", status: 500 }, /refused the connection \(500\)/],
    [{ type: "close", code: 1006, afterMs: 200 }, /closed the connection with code 1006/],
    [{ type: "malformed", text: "no {JSON", afterMs: 200 }, /sent a message that is none/],
    [{ type: "malformed", text: '{"type":"Turn"}', afterMs: 200 }, /sent a message that is none/],
  ];
  for (const [fault, message] of faults) {
    it(`fails so that it can be tried again: ${message.source}`, async () => {
      const { emulator, voice, done } = await start({ fault: () => fault });
      await using _ = emulator;
      voice.speech(400);
      const error = await done;
      assert(error instanceof StageError && error.retryable);
      assertMatch(error.message, message);
      await emulator.idle();
    });
  }
});
