import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { openaiRealtimeSpeechToText } from "../../src/stt/openai_realtime.ts";
import { startRealtimeEmulator } from "../emulators/openai_realtime.ts";
import type { SessionOptions } from "../emulators/openai_realtime_session.ts";
import type { Fault } from "../emulators/socket_server.ts";
import { fakeClock } from "../fakes/clock.ts";
import { startHearing, waitOn } from "./hearing.ts";

interface Given {
  readonly model?: string;
  readonly language?: string;
  readonly apiKey?: string;
}

async function start(
  options: SessionOptions = {},
  { model, language, apiKey = "test-key" }: Given = {},
) {
  const emulator = await startRealtimeEmulator({ delayMs: 1, ...options });
  const clock = fakeClock();
  const stt = openaiRealtimeSpeechToText({ apiKey, baseUrl: emulator.url, model, language, clock });
  const messages = () => emulator.connections.flatMap(({ messages }) => messages);
  const commits = () => messages().filter(({ type }) => type === "input_audio_buffer.commit").length;
  return { emulator, clock, messages, commits, ...startHearing(stt, clock) };
}

const words = (event: { type: string; text: string }) => `${event.type} ${event.text}`;

describe("OpenAI, listening", () => {
  const asked: Record<string, { given: Given; transcription: Record<string, unknown> }> = {
    "its own choice": { given: {}, transcription: { model: "gpt-live-transcribe" } },
    "a model that takes several languages": {
      given: { model: "gpt-transcribe", language: "en-GB" },
      transcription: { model: "gpt-transcribe", languages: ["en"] },
    },
    "a model that takes one": {
      given: { model: "whisper-1", language: "de" },
      transcription: { model: "whisper-1", language: "de" },
    },
  };
  for (const [name, { given, transcription }] of Object.entries(asked)) {
    it(`asks for what it needs, with the key in a header: ${name}`, async () => {
      const { emulator, voice, done, messages } = await start({}, given);
      await using _ = emulator;
      voice.end();
      assertEquals(await done, undefined);
      assertEquals(emulator.connections[0]?.authorization, "Bearer test-key");
      const format = { type: "audio/pcm", rate: 24_000 };
      const audio = { input: { format, transcription, turn_detection: null } };
      assertEquals(messages(), [
        { type: "session.update", session: { type: "transcription", audio } } as never,
      ]);
    });
  }

  it("tells words as they come, and finals when the speech ends, and closes when the voice does", async () => {
    const { emulator, clock, voice, done, events, finals, until } = await start({
      transcripts: ["What time is it?", "And where?"],
    });
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(1300);
    await until(() => events.at(-1)?.text === "What time is it?");
    voice.silence(260);
    voice.mark("speech-end");
    voice.utterance(800);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["What time is it?", "And where?"]);
    assertEquals(events[0], { type: "interim", text: "What" });
    await emulator.idle();
    assertEquals([emulator.connections[0]?.closed, clock.pending], [1000, 0]);
  });

  it("sends what is said and half a second before it, and nothing of the silence", async () => {
    const { emulator, voice, done, sent } = await start();
    await using _ = emulator;
    voice.silence(3_000);
    voice.utterance(800);
    voice.silence(3_000);
    voice.utterance(800);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(sent.ms, 2 * (500 + 800 + 260));
    const missing = sent.ms - (emulator.connections[0]?.audioMs ?? 0);
    assert(missing >= 0 && missing < 2, `${missing} ms of it have not arrived`);
  });

  it("sends what comes after a commit in a pause only if more is said", async () => {
    const { emulator, commits, voice, done, sent, events, until } = await start();
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(400);
    voice.mark("speech-pause");
    voice.finalize();
    await until(() => events.at(-1)?.asked === true);
    voice.silence(300);
    voice.mark("speech-end");
    voice.silence(300);
    voice.utterance(400);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals([commits(), sent.ms], [2, 400 + 500 + 400 + 260]);
  });

  it("tells the words in the order in which they were said, whatever order they come in", async () => {
    const { emulator, voice, done, finals, until, commits } = await start({
      transcripts: ["One.", "Two.", "Three."],
      transcriptionMs: (n) => [60, 1, 30][n] ?? 1,
    }, { model: "gpt-4o-transcribe" });
    await using _ = emulator;
    for (let n = 0; n < 3; n++) voice.utterance(400);
    await until(() => commits() === 3);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["One.", "Two.", "Three."]);
  });

  it("takes no words for no words", async () => {
    const { emulator, voice, done, events } = await start();
    await using _ = emulator;
    voice.mark("speech-start");
    voice.silence(400);
    voice.mark("speech-end");
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(events, [{ type: "interim", text: "" }]);
  });

  it("shows that it is alive while a model has nothing to say before the commit", async () => {
    const { emulator, voice, events, done, until } = await start({}, { model: "gpt-4o-transcribe" });
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(4_000);
    await until(() => events.length === 2);
    assertEquals(events.map(words), ["interim ", "interim "]);
    voice.mark("speech-end");
    voice.end();
    assertEquals(await done, undefined);
  });

  it("does not take a dead connection for one", async () => {
    const { emulator, voice, events, abort, done, until } = await start({
      fault: () => ({ type: "slow-reader", ms: 60_000, afterMs: 400 }),
    }, { model: "gpt-4o-transcribe" });
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(500);
    await until(() => (emulator.connections[0]?.audioMs ?? 0) >= 400);
    voice.speech(4_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(events, []);
    abort.abort("enough");
    assertEquals(await done, "enough");
  });

  it("begins another session in silence before one has run its time", async () => {
    const { emulator, clock, voice, done, finals, until } = await start();
    await using _ = emulator;
    voice.utterance(400);
    await until(() => finals().length === 1);
    await clock.advance(50 * 60_000);
    voice.mark("speech-start"); // too late: it would lose the first words
    voice.speech(100);
    await until(() => emulator.connections.length === 2);
    voice.speech(300);
    voice.mark("speech-end");
    await until(() => finals().length === 2);
    await until(() => emulator.connections[0]?.closed === 1000);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(emulator.connections.length, 2);
  });

  it("begins another session in silence when one has run its time, and fails while somebody speaks", async () => {
    const theirs = fakeClock();
    const { emulator, voice, done, finals } = await start({ clock: theirs, sessionMs: 60_000 });
    await using _ = emulator;
    voice.utterance(400);
    await waitOn(theirs, () => finals().length === 1);
    await theirs.advance(60_000);
    await waitOn(theirs, () => emulator.connections.length === 2);
    voice.mark("speech-start");
    voice.speech(400);
    await waitOn(theirs, () => (emulator.connections[1]?.audioMs ?? 0) > 300);
    await theirs.advance(60_000);
    const error = await done;
    assert(error instanceof StageError);
    assertEquals(error.retryable, true);
    assertMatch(error.message, /maximum duration/);
  });

  const key = "wrong-secret";
  const said = (error: Record<string, unknown>): Fault => ({
    type: "malformed",
    text: JSON.stringify({ type: "error", error }),
    afterMs: 200,
  });
  const faults: Record<
    string,
    { options: SessionOptions; given?: Given; message: RegExp; retryable: boolean }
  > = {
    "a refused key": {
      options: {},
      given: { apiKey: key },
      message: /^OpenAI refused the key \(401\): check OPENAI_API_KEY$/,
      retryable: false,
    },
    "a key that is refused later": {
      options: {
        apiKey: "*",
        fault: () => said({ code: "invalid_api_key", message: `Incorrect API key provided: ${key}` }),
      },
      given: { apiKey: key },
      message: /^OpenAI refused the key: check OPENAI_API_KEY$/,
      retryable: false,
    },
    "too many connections": {
      options: { fault: () => ({ type: "status", status: 429 }) },
      message: /429/,
      retryable: true,
    },
    "a model it does not know": {
      options: {},
      given: { model: "gpt-9" },
      message: /^OpenAI failed: Invalid value: 'gpt-9'\.$/,
      retryable: false,
    },
    "no quota": {
      options: { fault: () => said({ type: "insufficient_quota", message: "Used up." }) },
      message: /Used up/,
      retryable: false,
    },
    "trouble of its own": {
      options: { fault: () => said({ type: "server_error", message: "The server had an error." }) },
      message: /had an error/,
      retryable: true,
    },
    "words that cannot be had": {
      options: { transcriptionMs: () => Infinity },
      message: /could not transcribe it: Too many requests/,
      retryable: true,
    },
    "a lost connection": {
      options: { fault: () => ({ type: "close", code: 1006, afterMs: 200 }) },
      message: /1006/,
      retryable: true,
    },
    "what is not JSON": {
      options: { fault: () => ({ type: "malformed", text: "{oops", afterMs: 200 }) },
      message: /sent a message that is none/,
      retryable: true,
    },
  };
  for (const [name, { options, given, message, retryable }] of Object.entries(faults)) {
    it(`fails in words, and leaves nothing behind: ${name}`, async () => {
      const { emulator, clock, voice, done } = await start(options, given);
      await using _ = emulator;
      voice.utterance(400);
      const error = await done;
      assert(error instanceof StageError);
      assertEquals([error.stage, error.retryable], ["stt", retryable]);
      assertMatch(error.message, message);
      assert(!Deno.inspect(error).includes(key));
      await emulator.idle();
      await clock.settle();
      assertEquals(clock.pending, 0);
      assert(voice.cancelled);
    });
  }

  for (const fault of ["no-handshake", "half-open"] as const) {
    it(`lets go at once when aborted: ${fault}`, async () => {
      const { emulator, clock, voice, abort, done, until } = await start({ fault: () => ({ type: fault }) });
      await using _ = emulator;
      voice.utterance(400);
      await until(() => emulator.open === 1);
      abort.abort(new DOMException("over", "AbortError"));
      assertEquals(await done, abort.signal.reason);
      assertEquals(clock.pending, 0);
      await emulator.idle();
      assert(voice.cancelled);
    });
  }
});
