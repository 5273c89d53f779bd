/** Models on a server that others have written, since our emulators might share our mistakes: https://aimock.copilotkit.dev */
import { createServer, type Fixture, type MockServerOptions } from "@copilotkit/aimock";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { LanguageRequest } from "../../src/llm/llm.ts";
import { createModels } from "../../src/models.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import { silentLog as log } from "../fakes/log.ts";
import { collect, getWeather, user } from "./contract.ts";

const names: readonly [model: string, base: string][] = [
  ["compatible/llama-4", "/v1"],
  ["openai/gpt-4o-mini", "/v1"],
  ["openai-responses/gpt-4o-mini", "/v1"],
  ["anthropic/claude-haiku-4-5", "/v1"],
  ["google/gemini-2.5-flash", "/v1beta"],
];
const never = new AbortController().signal;

/** A server that answers by the first of `fixtures` that fits, in pieces of four characters, and the models on it. */
async function startServer(fixtures: Fixture[], base: string, options: MockServerOptions = {}) {
  const { server, url } = await createServer(fixtures, { port: 0, chunkSize: 4, ...options });
  const keys = { apiKey: "any", baseUrl: `${url}${base}` };
  return {
    models: createModels({ compatible: keys, openai: keys, anthropic: keys, google: keys, clock, log }),
    /** Settles when no request is under way. */
    async idle() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

for (const [name, base] of names) {
  describe(`${name} on a server of others`, () => {
    const answer = async (fixtures: Fixture[], request: LanguageRequest) => {
      await using server = await startServer(fixtures, base);
      return await collect(server.models.llm(name).generate(request, { signal: never }));
    };

    it("streams an answer, with what it cost", async () => {
      const { events, error } = await answer(
        [{ match: { userMessage: "Hello" }, response: { content: "Good morning to you." } }],
        { messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello!" }] },
      );
      assertEquals(error, undefined);
      const words = events.flatMap((event) => event.type === "text" ? [event.text] : []);
      assertEquals([words.length, words.join("")], [5, "Good morning to you."]);
      const last = events.at(-1);
      assert(last?.type === "finish" && last.reason === "stop" && last.usage);
    });

    it("calls a tool, and is told what came of it", async () => {
      const fixtures: Fixture[] = [
        { match: { toolResultContains: "Cold." }, response: { content: "It is cold." } },
        {
          match: { userMessage: "weather" },
          response: { toolCalls: [{ name: "getWeather", arguments: '{"city":"Oslo"}' }] },
        },
      ];
      const tools = [getWeather];
      const { events } = await answer(fixtures, { messages: [user], tools });
      const [call] = events.flatMap(({ type, ...call }) => type === "tool-call" ? [call] : []);
      assert(call && "id" in call);
      assertEquals([call.name, call.arguments], ["getWeather", { city: "Oslo" }]);
      const told = await answer(fixtures, {
        messages: [user, { role: "assistant", content: "", toolCalls: [call] }, {
          role: "tool",
          callId: call.id,
          content: "Cold.",
        }],
        tools,
      });
      assertEquals(told.error, undefined);
      const text = told.events.map((event) => event.type === "text" ? event.text : "").join("");
      assertEquals(text, "It is cold.");
    });

    it("hangs up when it is cut off", async () => {
      const content = "Good morning to you. ".repeat(1_000);
      await using server = await startServer([{ match: {}, response: { content } }], base, { latency: 20 });
      const abort = new AbortController();
      const words = server.models.llm(name).generate({ messages: [user] }, { signal: abort.signal });
      const reader = words.getReader();
      assertEquals((await reader.read()).value?.type, "text");
      reader.releaseLock();
      abort.abort("over");
      assertEquals((await collect(words)).error, "over");
      await server.idle();
    });

    it("says that its key is refused", async () => {
      const response = { error: { message: "Incorrect API key provided" }, status: 401 };
      const { error } = await answer([{ match: {}, response }], { messages: [user] });
      assert(error instanceof StageError && error.refused);
      assertMatch(error.message, /refused the key/);
    });
  });
}

describe("OpenAI's recognizers and voices on a server of others", () => {
  for (const model of ["gpt-4o-transcribe", "whisper-1"]) {
    it(`hears: ${model}`, async () => {
      const transcription = { text: "Hello there." };
      const fixtures: Fixture[] = [{ match: { endpoint: "transcription" }, response: { transcription } }];
      await using server = await startServer(fixtures, "/v1");
      const stt = server.models.stt(`openai/${model}`);
      const heard = await Array.fromAsync(stt.transcribe(ReadableStream.from(voice()), { signal: never }));
      assertEquals(heard.at(-1), { type: "final", text: "Hello there." });
    });
  }

  it("speaks", async () => {
    const samples = new Int16Array(12_000).fill(1_000);
    const audio = new Uint8Array(samples.buffer).toBase64();
    const fixtures: Fixture[] = [{ match: { endpoint: "speech" }, response: { audio, format: "pcm" } }];
    await using server = await startServer(fixtures, "/v1");
    const text = ReadableStream.from(["Good morning."]);
    const tts = server.models.tts("openai/gpt-4o-mini-tts");
    const spoken = await Array.fromAsync(tts.synthesize(text, { signal: never }));
    assertEquals(spoken.flatMap((event) => event.type === "audio" ? [...event.frame.samples] : []), [
      ...samples,
    ]);
  });
});

/** Half a second of a voice. */
function* voice(): Generator<VoiceEvent> {
  yield { type: "speech-start", atMs: 0, voicedMs: 100 };
  for (let timestampMs = 0; timestampMs < 500; timestampMs += 20) {
    const frame = { samples: new Int16Array(320).fill(1_000), sampleRate: 16_000, channels: 1, timestampMs };
    yield { type: "audio", frame, speech: true };
  }
  yield { type: "speech-pause", atMs: 500 };
}
