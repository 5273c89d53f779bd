import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { elevenlabsSpeechToText } from "../../src/stt/elevenlabs.ts";
import { reconnecting } from "../../src/stt/reconnecting.ts";
import type { TranscriptEvent } from "../../src/stt/stt.ts";
import { type ScribeEmulatorOptions, startScribeEmulator } from "../emulators/elevenlabs_scribe.ts";
import type { Fault } from "../emulators/socket_server.ts";
import { fakeClock } from "../fakes/clock.ts";
import { voiceFeed } from "../fakes/voice_events.ts";
import { collect, startHearing, waitOn, waitUntil } from "./hearing.ts";

const apiKey = "test-key";

async function start(options: ScribeEmulatorOptions = {}, key = apiKey, language: string | undefined = "en") {
  const emulator = await startScribeEmulator({ delayMs: 1, ...options });
  const clock = fakeClock();
  const stt = elevenlabsSpeechToText({ apiKey: key, baseUrl: emulator.url, language, clock });
  const chunks = () => emulator.connections.flatMap(({ chunks }) => chunks);
  const commits = () => chunks().filter(({ commit }) => commit).length;
  return { emulator, clock, chunks, commits, ...startHearing(stt, clock) };
}

const msOf = (audio: string) => Uint8Array.fromBase64(audio).length / 32;

describe("ElevenLabs, listening", () => {
  it("asks for what it needs, with the key in a header", async () => {
    const { emulator, voice, done } = await start({}, apiKey, "en-GB");
    await using _ = emulator;
    voice.end();
    assertEquals(await done, undefined);
    const [connection] = emulator.connections;
    assertEquals(connection?.key, apiKey);
    assertEquals(Object.fromEntries(connection?.query ?? []), {
      model_id: "scribe_v2_realtime",
      audio_format: "pcm_16000",
      commit_strategy: "manual",
      include_timestamps: "true",
      language_code: "en",
    });
  });

  it("has the language found where none is given", async () => {
    const emulator = await startScribeEmulator();
    await using _ = emulator;
    const stt = elevenlabsSpeechToText({ apiKey, baseUrl: emulator.url, clock: fakeClock() });
    const stream = stt.transcribe(ReadableStream.from([]), { signal: new AbortController().signal });
    assertEquals(await collect(stream, []), undefined);
    const query = emulator.connections[0]?.query;
    assertEquals([query?.get("include_language_detection"), query?.has("language_code")], ["true", false]);
  });

  it("tells interims, and finals with their words when the speech ends, and closes when the voice does", async () => {
    const { emulator, clock, voice, done, events, finals, until, sent } = await start({
      transcripts: ["What time is it?", "And where?"],
    });
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(1200);
    await until(() => events.length >= 4);
    voice.silence(260);
    voice.mark("speech-end");
    voice.utterance(800);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["What time is it?", "And where?"]);
    assertEquals(events[0], { type: "interim", text: "What" });
    const [first, second] = events.filter((event) => event.type === "final");
    assertEquals(first?.words?.map(({ text, startMs }) => [text, startMs]), [
      ["What", 0],
      ["time", 300],
      ["is", 600],
      ["it?", 900],
    ]);
    assertEquals([first?.language, first?.confidence?.toFixed(2)], ["en", "0.99"]);
    assertEquals(second?.words?.[0]?.startMs, 1_460);
    await emulator.idle();
    assertEquals(emulator.connections[0]?.closed, 1000);
    assertEquals([emulator.connections[0]?.audioMs, sent.ms], [2_520, 2_520]);
    assertEquals(clock.pending, 0);
  });

  it("does not take what it says again after a final for new words", async () => {
    const { emulator, voice, done, events, finals, until } = await start();
    await using _ = emulator;
    voice.utterance(800);
    await until(() => finals().length === 1);
    voice.silence(200);
    voice.utterance(800);
    await until(() => finals().length === 2);
    const told = events.findIndex(({ type }) => type === "final");
    assertEquals(events[told + 1]?.text, "Hello", "not the last words again");
    voice.end();
    assertEquals(await done, undefined);
  });

  it("sends 40 ms at a time in speech and 100 ms in silence", async () => {
    const { emulator, chunks, voice, done } = await start();
    await using _ = emulator;
    voice.silence(400);
    voice.mark("speech-start");
    voice.speech(400);
    voice.mark("speech-end");
    voice.silence(200);
    voice.end();
    await done;
    const lengths = chunks().map(({ audio_base_64: audio }) => msOf(audio));
    assertEquals(lengths, [100, 100, 100, 100, ...Array(10).fill(40), 0, 100, 100]);
  });

  it("has words committed when it is asked to, and says when there were none", async () => {
    const { emulator, commits, voice, done, events, finals, until } = await start({
      transcripts: ["What time", "is it?"],
    });
    await using _ = emulator;
    const answers = () => events.filter(({ asked }) => asked).map(({ type, text }) => `${type} ${text}`);
    voice.mark("speech-start");
    voice.speech(800);
    voice.mark("speech-pause");
    voice.silence(100);
    voice.finalize();
    await until(() => answers().length === 1);
    voice.finalize();
    await until(() => answers().length === 2);
    assertEquals(answers(), ["final What time", "interim "]);
    voice.mark("speech-end");
    voice.silence(100);
    await until(() => emulator.connections[0]?.audioMs === 1_000);
    assertEquals(commits(), 1, "nothing was said since");
    voice.utterance(400);
    await until(() => finals().length === 2);
    assertEquals(finals(), ["What time", "is it?"]);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("answers a request with the commit that is under way", async () => {
    const { emulator, commits, voice, done, events, until } = await start({ delayMs: 20 });
    await using _ = emulator;
    voice.utterance(400);
    voice.finalize();
    await until(() => events.some(({ type }) => type === "final"));
    assertEquals([events.at(-1)?.type, events.at(-1)?.asked, commits()], ["final", true, 1]);
    voice.end();
    await done;
  });

  it("puts silence behind what is too short, and keeps the times of the words right", async () => {
    const { emulator, voice, done, events, finals, until } = await start();
    await using _ = emulator;
    voice.mark("speech-start");
    voice.speech(200);
    voice.mark("speech-end");
    await until(() => finals().length === 1);
    assertEquals(emulator.connections[0]?.audioMs, 350);
    voice.utterance(400);
    voice.end();
    assertEquals(await done, undefined);
    const last = events.findLast((event) => event.type === "final");
    assertEquals(last?.words?.[0]?.startMs, 200);
  });

  it("commits what is long at a pause, or after 30 s, and silence before the server does", async () => {
    const { emulator, commits, voice, done, until, finals } = await start();
    await using _ = emulator;
    const came = (ms: number) => until(() => (emulator.connections[0]?.audioMs ?? 0) >= ms);
    voice.mark("speech-start");
    voice.speech(10_000);
    voice.mark("speech-pause");
    voice.mark("speech-resume");
    await came(10_000);
    assertEquals(commits(), 0);
    voice.speech(10_000);
    voice.mark("speech-pause");
    await until(() => finals().length === 1);
    voice.mark("speech-resume");
    voice.speech(30_000);
    await until(() => finals().length === 2);
    voice.mark("speech-end");
    await until(() => commits() === 3);
    voice.silence(45_000);
    await came(95_000);
    assertEquals(commits(), 5);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("has words committed that it heard where there was no voice", async () => {
    const { emulator, clock, voice, done, events, finals, until } = await start();
    await using _ = emulator;
    voice.stray(600);
    await until(() => events.length > 0);
    await clock.advance(1_000);
    await until(() => finals().length === 1);
    voice.end();
    assertEquals(await done, undefined);
  });

  it("sends some silence every 5 s while there is no audio, and none while there is", async () => {
    const { emulator, clock, voice, done, until } = await start();
    await using _ = emulator;
    const audioMs = () => emulator.connections[0]?.audioMs;
    voice.silence(100);
    await until(() => audioMs() === 100);
    await clock.advance(5_000);
    assertEquals(audioMs(), 100);
    await clock.advance(5_000);
    await until(() => audioMs() === 120);
    await clock.advance(5_000);
    await until(() => audioMs() === 140);
    voice.end();
    await done;
  });

  it("begins another session in silence when one has run its time", async () => {
    const theirs = fakeClock();
    const { emulator, voice, done, events, finals } = await start({
      clock: theirs,
      sessionMs: 60_000,
      idleMs: 120_000,
    });
    await using _ = emulator;
    voice.utterance(400);
    await waitOn(theirs, () => finals().length === 1);
    await theirs.advance(60_000);
    await waitOn(theirs, () => emulator.connections.length === 2);
    voice.utterance(400);
    await waitOn(theirs, () => finals().length === 2);
    voice.end();
    assertEquals(await done, undefined);
    const last = events.findLast((event) => event.type === "final");
    assertEquals(last?.words?.[0]?.startMs, 660, "of all the audio, not that of the second connection");
  });

  const faults: Record<string, { fault: Fault; message: RegExp; retryable: boolean }> = {
    "a refused key": {
      fault: { type: "status", status: 401 },
      message: /^ElevenLabs refused the key \(401\): check ELEVENLABS_API_KEY$/,
      retryable: false,
    },
    "too many connections": { fault: { type: "status", status: 429 }, message: /429/, retryable: true },
    "a model it does not know": {
      fault: { type: "status", status: 400 },
      message: /model/,
      retryable: false,
    },
    "no answer at the door": { fault: { type: "refuse" }, message: /cannot be reached/, retryable: true },
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
    "no quota": {
      fault: { type: "malformed", text: '{"message_type":"quota_exceeded","error":"Used up."}', afterMs: 0 },
      message: /^ElevenLabs reports quota_exceeded: Used up\.$/,
      retryable: false,
    },
    "too many people": {
      fault: { type: "malformed", text: '{"message_type":"rate_limited","error":"Later."}', afterMs: 200 },
      message: /rate_limited/,
      retryable: true,
    },
    "an error of a new kind": {
      fault: { type: "malformed", text: '{"message_type":"moonstruck","error":"Oh."}', afterMs: 200 },
      message: /moonstruck: Oh\./,
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
      await emulator.idle();
      await clock.settle();
      assertEquals(clock.pending, 0);
      assert(voice.cancelled);
    });
  }

  it("does not let a wrong key out, which is refused only once the socket is open", async () => {
    const { emulator, done } = await start({}, "wrong-secret");
    await using _ = emulator;
    const error = await done;
    assert(error instanceof StageError);
    assertEquals([error.refused, error.retryable], [true, false]);
    assertMatch(error.message, /auth_error.*check ELEVENLABS_API_KEY/);
    assert(!Deno.inspect(error).includes("wrong-secret"));
  });

  it("takes no notice of warnings", async () => {
    const text = '{"message_type":"warning","warning":"This session is still being logged."}';
    const { emulator, voice, done, finals } = await start({
      fault: () => ({ type: "malformed", text, afterMs: 200 }),
    });
    await using _ = emulator;
    voice.utterance(400);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["Hello there."]);
  });

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

  it("lets go when it was aborted before it began, or nobody reads", async () => {
    await using emulator = await startScribeEmulator();
    const clock = fakeClock();
    const stt = elevenlabsSpeechToText({ apiKey, baseUrl: emulator.url, clock });
    const aborted = stt.transcribe(voiceFeed().stream, { signal: AbortSignal.abort("early") });
    assertEquals(await collect(aborted, []), "early");
    const voice = voiceFeed();
    await stt.transcribe(voice.stream, { signal: new AbortController().signal }).cancel();
    await clock.settle();
    assert(voice.cancelled);
    await emulator.idle();
    assertEquals([clock.pending, emulator.connections.length], [0, 0]);
  });

  it("gives up on a session that does not begin, and on final words that do not come", async () => {
    const silent = await start({ fault: () => ({ type: "half-open" }) });
    await using _ = silent.emulator;
    await silent.until(() => silent.emulator.connections.length === 1 && silent.clock.pending === 1);
    await silent.clock.advance(6_000);
    const error = await silent.done;
    assert(error instanceof StageError);
    assertMatch(error.message, /did not begin a session within 6 s/);

    const deaf = await start({ deafTo: 1 });
    await using __ = deaf.emulator;
    deaf.voice.utterance(400);
    await deaf.until(() => deaf.commits() === 1);
    await deaf.clock.advance(3_000);
    const second = await deaf.done;
    assert(second instanceof StageError);
    assertMatch(second.message, /within 3 s what the last words were/);
    assertEquals([silent.clock.pending, deaf.clock.pending], [0, 0]);
  });

  it("loses no word and doubles none when a connection drops in an utterance and is replaced", async () => {
    await using emulator = await startScribeEmulator({
      delayMs: 1,
      transcripts: ["One two three.", "Four five."],
      fault: (_, n) => n === 0 ? { type: "close", code: 1006, afterMs: 1_800 } : undefined,
    });
    const clock = fakeClock();
    const errors: string[] = [];
    const stt = elevenlabsSpeechToText({ apiKey, baseUrl: emulator.url, clock });
    const hearing = reconnecting(stt, { clock, onError: ({ message }) => void errors.push(message) });
    const voice = voiceFeed();
    const events: TranscriptEvent[] = [];
    const done = collect(hearing.transcribe(voice.stream, { signal: new AbortController().signal }), events);
    const finals = () => events.filter(({ type }) => type === "final").map(({ text }) => text);
    voice.utterance(1_000);
    await waitUntil(() => finals().length === 1, clock);
    voice.mark("speech-start");
    voice.speech(800);
    await waitUntil(() => errors.length === 1, clock);
    voice.speech(200);
    voice.silence(260);
    voice.mark("speech-end");
    await waitUntil(() => finals().length === 2, clock);
    voice.end();
    assertEquals(await done, undefined);
    assertEquals(finals(), ["One two three.", "Four five."]);
    assertMatch(errors.join(), /code 1006/);
    const last = events.findLast((event) => event.type === "final");
    assertEquals(last?.words?.at(-1)?.endMs, 1_000 + 260 + 1_000);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });
});
