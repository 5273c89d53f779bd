import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { defineAgent } from "../src/agent.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import type { SessionEvent } from "../src/events.ts";
import { createModels } from "../src/models.ts";
import { memoryRoom } from "../src/room/memory.ts";
import { type Providers, startSession } from "../src/session.ts";
import { createWarmth } from "../src/warm.ts";
import { startAnthropicEmulator } from "./emulators/anthropic.ts";
import { startGoogleEmulator } from "./emulators/google.ts";
import { type OpenAIAudioEmulator, startOpenAIAudio } from "./emulators/openai_audio.ts";
import { startOpenAIEmulator } from "./emulators/openai.ts";
import { startResponsesEmulator } from "./emulators/openai_responses.ts";
import { turnTaking } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { fakeLog } from "./fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "./fakes/providers.ts";
import { loudnessDetector, microphoneFrame } from "./fakes/speech.ts";

/** Waits, in real time, until it is so. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    assert(i < 2_000, `waited in vain for ${what}`);
    await systemClock.sleep(5);
  }
}

/** A server, and the requests that came. */
async function listen(answers = true) {
  const requests: string[] = [];
  const server: Server = createServer(({ method, url, headers }, response) => {
    requests.push(`${method} ${url}${headers.authorization ?? ""}`);
    if (answers) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("createWarmth()", () => {
  const setUp = () => {
    const [clock, log] = [fakeClock(), fakeLog()];
    return { clock, log, keepWarm: createWarmth({ clock, log }) };
  };
  const told = ({ lines }: ReturnType<typeof fakeLog>, what: string) =>
    lines.filter(({ message }) => message.startsWith(what)).length;

  it("asks once for all calls, without a key, and again every minute, until the last has ended", async () => {
    await using server = await listen();
    const { clock, log, keepWarm } = setUp();
    const [one, two] = [new AbortController(), new AbortController()];
    const asked = async (ms: number) => {
      const due = told(log, "connected");
      await clock.advance(ms);
      if (clock.now() % 60_000 === 0) await until(() => told(log, "connected") > due, "an answer");
      return server.requests.length;
    };
    keepWarm(server.url, one.signal);
    assertEquals(await asked(0), 1);
    keepWarm(server.url, one.signal);
    keepWarm(server.url, two.signal);
    assertEquals([await asked(59_999), await asked(1)], [1, 2]);
    one.abort();
    assertEquals(await asked(60_000), 3);
    two.abort();
    assertEquals(clock.pending, 0);
    await clock.advance(30_000);
    const three = new AbortController();
    keepWarm(server.url, three.signal); // the connection of the call before is still there
    assertEquals([await asked(29_999), await asked(1)], [3, 4]);
    three.abort();
    assertEquals(server.requests.every((request) => request === "HEAD /"), true);
  });

  it("keeps each server's own", async () => {
    await using first = await listen();
    await using second = await listen();
    const { clock, log, keepWarm } = setUp();
    const call = new AbortController();
    for (const { url } of [first, second]) keepWarm(url, call.signal);
    await clock.advance(0);
    await until(() => told(log, "connected") === 2, "both answers");
    assertEquals([first.requests.length, second.requests.length], [1, 1]);
    call.abort();
  });

  it("gives up on a server that does not answer, and asks again when it is due", async () => {
    await using server = await listen(false);
    const { clock, log, keepWarm } = setUp();
    const call = new AbortController();
    keepWarm(server.url, call.signal);
    for (const count of [1, 2]) {
      await clock.advance(count === 1 ? 0 : 55_000);
      await until(() => server.requests.length === count, "the request");
      await clock.advance(5_000);
      await until(() => told(log, "not connected") === count, "its end");
    }
    call.abort();
    assertEquals(clock.pending, 0);
  });

  it("says nothing of a call that ended meanwhile, and does nothing for one that has ended", async () => {
    await using server = await listen(false);
    const { clock, log, keepWarm } = setUp();
    const call = new AbortController();
    keepWarm(server.url, call.signal);
    await clock.advance(0);
    await until(() => server.requests.length === 1, "the request");
    call.abort();
    keepWarm(server.url, AbortSignal.abort());
    await until(() => clock.pending === 0, "the end of the request");
    assertEquals([log.lines.length, server.requests.length], [0, 1]);
    const next = new AbortController();
    keepWarm(server.url, next.signal); // there is no connection yet
    await clock.advance(0);
    await until(() => server.requests.length === 2, "the next request");
    next.abort();
    await until(() => clock.pending === 0, "its end");
  });

  it("takes no notice of a server that is not there, at more than debug level", async () => {
    const { clock, log, keepWarm } = setUp();
    const call = new AbortController();
    keepWarm("http://127.0.0.1:1/v1", call.signal);
    await clock.advance(0);
    await until(() => log.lines.length > 0, "a line");
    assertEquals(log.lines.map(({ level, message }) => [level, message.split(";")[0]]), [
      ["debug", "not connected ahead"],
    ]);
    call.abort();
  });
});

const apiKey = "test-key";

describe("the first request of a call", () => {
  type Served = AsyncDisposable & Pick<OpenAIAudioEmulator, "url" | "connections"> & {
    readonly requests: readonly unknown[];
  };
  const rows: readonly (readonly [
    stage: "stt" | "llm" | "tts",
    model: string,
    start: (options: { readonly clock: Clock }) => Promise<Served>,
  ])[] = [
    ["llm", "openai/gpt-4o-mini", startOpenAIEmulator],
    ["llm", "compatible/llama-4", startOpenAIEmulator],
    ["llm", "openai-responses/gpt-4o-mini", startResponsesEmulator],
    ["llm", "anthropic/claude-haiku-4-5", startAnthropicEmulator],
    ["llm", "google/gemini-2.5-flash", startGoogleEmulator],
    ["tts", "openai/gpt-4o-mini-tts", () => startOpenAIAudio()],
    ["stt", "openai/gpt-4o-transcribe", () => startOpenAIAudio({ hears: () => "hello there" })],
  ];
  for (const [stage, name, start] of rows) {
    it(`finds a connection: ${stage} ${name}`, async () => {
      const clock = systemClock;
      await using server = await start({ clock });
      const account = name.split("/")[0]!.replace("-responses", "");
      const log = fakeLog();
      const models = createModels({ [account]: { apiKey, baseUrl: server.url }, clock, log });
      const room = memoryRoom({ name: "room", clock });
      const beganMs = clock.now();
      const utterances = [{ fromMs: beganMs, toMs: beganMs + 600, words: ["hello", "there"] }];
      const providers: Providers = {
        vad: loudnessDetector(),
        stt: scriptedSpeechToText(utterances, clock),
        llm: scriptedLanguageModel([{ text: "Good day.", ttftMs: 10, tokenMs: 1 }], clock),
        tts: scriptedTextToSpeech([], clock),
        [stage]: models[stage](name),
      };
      const { session, joined } = startSession({
        id: "session",
        agentName: "test",
        agent: defineAgent({ instructions: "You are a test." }),
        providers,
        turnTaking: { ...turnTaking, speculate: false },
        join: () => Promise.resolve(room),
        metadata: "",
        clock,
        log,
      });
      const events: SessionEvent[] = [];
      const told = session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
      room.enter("caller");
      await joined;
      await until(() => log.lines.some(({ message }) => message === "connected ahead"), "a connection");
      await systemClock.sleep(20); // until it lies in the pool
      assertEquals([server.connections, server.requests.length], [1, 0]);
      if (stage === "stt") {
        for (let ms = 0; ms < 1_200; ms += 20) room.hear(microphoneFrame(clock.now() + ms, ms < 600));
      } else room.tell({ type: "text", text: "Hello!" });
      const heard = () => events.some(({ type }) => type === "agent-started-speaking");
      await until(heard, "the answer");
      assertEquals([server.connections, server.requests.length], [1, 1]);
      await session.close();
      await told;
    });
  }
});
