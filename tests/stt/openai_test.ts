import { assert, assertEquals } from "@std/assert";
import { afterEach, describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { openaiSpeechToText, type OpenAISpeechToTextOptions } from "../../src/stt/openai.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import {
  type OpenAIAudioEmulator,
  type OpenAIAudioOptions,
  startOpenAIAudio,
} from "../emulators/openai_audio.ts";
import { fakeClock } from "../fakes/clock.ts";

let server: OpenAIAudioEmulator;
afterEach(async () => await server[Symbol.asyncDispose]());

const clock = fakeClock();

async function setUp(emulated: OpenAIAudioOptions = {}, options: Partial<OpenAISpeechToTextOptions> = {}) {
  server = await startOpenAIAudio(emulated);
  return openaiSpeechToText({ apiKey: "test-key", baseUrl: server.url, clock, ...options });
}

/** A voice from 1 s on, for `ms`, in which each sample is the number of its frame. */
function* voice(ms: number): Generator<VoiceEvent> {
  for (let n = 0; n < (1_000 + ms) / 20; n++) {
    if (n === 50) yield { type: "speech-start", atMs: 1_000, voicedMs: 1_100 };
    const frame = {
      samples: new Int16Array(320).fill(n),
      sampleRate: 16_000,
      channels: 1,
      timestampMs: n * 20,
    };
    yield { type: "audio", frame, speech: n >= 50 };
  }
  yield { type: "speech-pause", atMs: 1_000 + ms };
}

/** What comes of a voice that lasts `ms`. */
async function hear(stt: SpeechToText, ms = 500, signal = new AbortController().signal) {
  const events: TranscriptEvent[] = [];
  let error: unknown;
  try {
    for await (const event of stt.transcribe(ReadableStream.from(voice(ms)), { signal })) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  await clock.settle();
  assertEquals(clock.pending, 0);
  return { events: events.map(({ type, text }) => `${type} ${text}`), error };
}

describe("openaiSpeechToText()", () => {
  it("sends the speech as a WAV file, and streams its words", async () => {
    const { events } = await hear(await setUp());
    assertEquals(events, ["interim Hello ", "interim Hello there.", "final Hello there."]);
    const [{ path, body, file } = {}] = server.requests;
    assertEquals([server.requests.length, path], [1, "/v1/audio/transcriptions"]);
    assertEquals(body, { model: "gpt-4o-transcribe", stream: "true" });
    assertEquals([file?.name, file?.sampleRate, file?.channels], ["speech.wav", 16_000, 1]);
    assertEquals([file?.samples.length, file?.samples[0], file?.samples.at(-1)], [8_000, 50, 74]);
  });

  it("asks whisper-1 for the whole", async () => {
    const { events } = await hear(await setUp({}, { model: "whisper-1", language: "en-GB" }));
    assertEquals(events, ["interim Hello there.", "final Hello there."]);
    assertEquals(server.requests[0]?.body, { model: "whisper-1", language: "en" });
  });

  it("makes what is too short to be taken longer", async () => {
    const { events } = await hear(await setUp(), 40);
    assertEquals(events.at(-1), "final Hello there.");
    assertEquals(server.requests[0]?.file?.samples.length, 1_600);
  });

  it("hears no words where there are none", async () => {
    assertEquals((await hear(await setUp({ hears: () => "" }))).events, ["interim "]);
  });

  const faults = [
    [{ type: "status", status: 401 }, "refused the key: check OPENAI_API_KEY", false],
    [{ type: "status", status: 404 }, "check STT, or the agent's stt", false],
    [{ type: "status", status: 429 }, "takes no more requests now", true],
    [{ type: "status", status: 500 }, "failed: 500 The server said 500.", true],
    [{ type: "short" }, "the transcript broke off", true],
    [{ type: "die" }, "sent no proper answer", true],
  ] as const;
  for (const [fault, message, retryable] of faults) {
    it(`fails in words: ${"status" in fault ? fault.status : fault.type}`, async () => {
      const { error } = await hear(await setUp({ fault: () => fault }));
      assert(error instanceof StageError, String(error));
      assert(error.message.includes(message), error.message);
      assert(!/test-?key|\*/.test(error.message), error.message);
      assertEquals([error.stage, error.retryable], ["stt", retryable]);
    });
  }

  for (const type of ["short", "die"] as const) {
    it(`fails when the answer of whisper-1 is cut: ${type}`, async () => {
      const { error } = await hear(await setUp({ fault: () => ({ type }) }, { model: "whisper-1" }));
      assert(error instanceof StageError && error.retryable, String(error));
    });
  }

  it("gives up on a request that hangs, and hangs up", async () => {
    const stt = await setUp({ fault: () => ({ type: "hang" }) });
    const result = hear(stt);
    await server.came(1);
    await clock.advance(6_000);
    const { error } = await result;
    assert(error instanceof StageError && error.retryable, String(error));
    assertEquals(await server.requests[0]?.answered, false);
  });

  it("hangs up when it is aborted", async () => {
    const abort = new AbortController();
    const result = hear(await setUp({ fault: () => ({ type: "hang" }) }), 500, abort.signal);
    await server.came(1);
    const reason = new Error("over");
    abort.abort(reason);
    assertEquals((await result).error, reason);
    assertEquals(await server.requests[0]?.answered, false);
  });
});
