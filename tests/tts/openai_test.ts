import { assert, assertEquals } from "@std/assert";
import { afterEach, describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { openaiTextToSpeech, type OpenAITextToSpeechOptions } from "../../src/tts/openai.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";
import {
  type OpenAIAudioEmulator,
  type OpenAIAudioOptions,
  startOpenAIAudio,
} from "../emulators/openai_audio.ts";

let server: OpenAIAudioEmulator;
afterEach(async () => await server[Symbol.asyncDispose]());

async function setUp(emulated: OpenAIAudioOptions = {}, options: Partial<OpenAITextToSpeechOptions> = {}) {
  server = await startOpenAIAudio(emulated);
  return openaiTextToSpeech({ apiKey: "test-key", baseUrl: server.url, ...options });
}

/** What comes of speaking `clauses`: the samples, the marks with the samples before them, and how it failed. */
async function speak(
  tts: TextToSpeech,
  clauses: readonly string[],
  signal = new AbortController().signal,
) {
  const samples: number[] = [];
  const marks: [characters: number, samples: number][] = [];
  let error: unknown;
  try {
    for await (const event of tts.synthesize(ReadableStream.from(clauses), { signal })) {
      if (event.type === "mark") marks.push([event.characters, samples.length]);
      else if (event.type === "audio") samples.push(...event.frame.samples);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { samples, marks, error };
}

describe("openaiTextToSpeech()", () => {
  it("asks for each clause in turn, as PCM", async () => {
    const tts = await setUp({}, { voice: "coral", instructions: "calm" });
    const { marks } = await speak(tts, ["Hello! ", "How are you?"]);
    assertEquals(marks, [[7, 7 * 240], [19, 19 * 240]]);
    const settings = {
      model: "gpt-4o-mini-tts",
      voice: "coral",
      instructions: "calm",
      response_format: "pcm",
    };
    assertEquals(server.requests.map(({ body }) => body), [
      { ...settings, input: "Hello! " },
      { ...settings, input: "How are you?" },
    ]);
  });

  for (const pieces of [[1], [3], [4_095, 1], [2, 1, 1]]) {
    it(`keeps samples whole in pieces of ${pieces.join(", ")} bytes`, async () => {
      const voice = () => Int16Array.from({ length: 3_000 }, (_, i) => i * 21 - 32_000);
      const { samples } = await speak(await setUp({ voice, pieces }), ["Hi."]);
      assertEquals(samples, [...voice()]);
    });
  }

  it("cuts what is too long for one request", async () => {
    const { marks } = await speak(await setUp(), ["word ".repeat(1_000)]);
    const inputs = server.requests.map(({ body }) => String(body.input));
    assertEquals(inputs.length, 2);
    assertEquals(inputs.join(""), "word ".repeat(1_000));
    assert(inputs[0]?.endsWith("word"));
    assertEquals(marks, [[5_000, 5_000 * 240]]);
  });

  it("makes the next clause while one is delivered, and no more", async () => {
    const tts = await setUp();
    const events = tts.synthesize(ReadableStream.from(["One. ", "Two. ", "Three."]), {
      signal: new AbortController().signal,
    }).getReader();
    await events.read();
    await server.came(2);
    await events.read();
    assertEquals(server.requests.length, 2);
    await events.cancel();
  });

  const faults = [
    [{ type: "status", status: 401 }, "refused the key: check OPENAI_API_KEY", false],
    [{ type: "status", status: 404 }, `has no model "gpt-4o-mini-tts": check TTS, or the agent's tts`, false],
    [{ type: "status", status: 429 }, "takes no more requests now", true],
    [{ type: "status", status: 500 }, "failed: 500 The server said 500.", true],
    [{ type: "die" }, "sent no proper answer", true],
  ] as const;
  for (const [fault, message, retryable] of faults) {
    const what = "status" in fault ? fault.status : fault.type;
    it(`fails in words, after what was spoken before: ${what}`, async () => {
      const tts = await setUp({ fault: (n) => n === 1 ? fault : undefined });
      const { marks, error } = await speak(tts, ["One. ", "Two. "]);
      assertEquals(marks, [[5, 5 * 240]]);
      assert(error instanceof StageError, String(error));
      assert(error.message.includes(message), error.message);
      assert(!/test-?key|\*/.test(error.message), error.message);
      assertEquals([error.stage, error.retryable], ["tts", retryable]);
    });
  }

  it("fails when nobody is there", async () => {
    const tts = await setUp();
    await server[Symbol.asyncDispose]();
    const { error } = await speak(tts, ["Hello."]);
    assert(error instanceof StageError && error.retryable, String(error));
    assert(error.message.endsWith("cannot be reached"), error.message);
  });

  it("hangs up on what hangs when it is aborted", async () => {
    const tts = await setUp({ fault: () => ({ type: "hang" }) });
    const abort = new AbortController();
    const result = speak(tts, ["Hello."], abort.signal);
    await server.came(1);
    const reason = new Error("cut");
    abort.abort(reason);
    assertEquals((await result).error, reason);
    assertEquals(await server.requests[0]?.answered, false);
  });
});
