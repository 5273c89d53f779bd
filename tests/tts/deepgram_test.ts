import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { deepgramTextToSpeech } from "../../src/tts/deepgram.ts";
import { type DeepgramEmulatorOptions, type Fault, startDeepgramEmulator } from "../emulators/deepgram.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { reply, say } from "../fakes/spoken.ts";

const apiKey = "test-key";
const sampleRate = 24_000;
const msPerWord = 40;

/** An emulator that answers at once; the sound of a sentence is its length, as every sample. */
async function start(options: DeepgramEmulatorOptions & { clock?: FakeClock } = {}, key = apiKey) {
  const emulator = await startDeepgramEmulator({
    firstAudioMs: 0,
    speed: 50,
    msPerWord,
    sound: (text, _, count) => new Int16Array(count).fill(text.trim().length),
    ...options,
  });
  const { clock = fakeClock() } = options;
  const log = fakeLog();
  const tts = deepgramTextToSpeech({ apiKey: key, baseUrl: emulator.url, clock, log });
  const session = new AbortController();
  const sent = (n = 0) => emulator.connections[n]?.messages.map(({ type, text }) => text ?? type);
  return { emulator, clock, log, tts, session, sent };
}

const wordsOf = (...values: [value: number, words: number][]): number[] =>
  values.flatMap(([value, words]) => Array<number>(words * msPerWord * sampleRate / 1000).fill(value));

describe("Deepgram, speaking", () => {
  it("asks for what it needs, speaks, marks, and hangs up", async () => {
    const { emulator, clock, tts, sent } = await start();
    await using _ = emulator;
    const { samples, marks, events, error } = await say(tts, "One two. ", "Three, four five. ", "Six.");
    assertEquals(error, undefined);
    assertEquals(samples.length, wordsOf([0, 6]).length);
    assertEquals(marks, [9, 31]);
    assertEquals(events.at(-1), { type: "mark", characters: 31 });
    await emulator.idle();
    assertEquals(sent(), ["One two. ", "Flush", "Three, four five. ", "Six.", "Flush", "Close"]);
    assertEquals(Object.fromEntries(emulator.connections[0]?.query ?? []), {
      model: "aura-2-thalia-en",
      encoding: "linear16",
      sample_rate: "24000",
    });
    assertEquals(emulator.connections[0]?.authorization, "Token test-key");
    assertEquals(clock.pending, 0);
  });

  it("does not flush a single clause twice, and opens no reply that has nothing to say", async () => {
    const { emulator, tts, sent } = await start();
    await using _ = emulator;
    assertEquals((await say(tts, "Hello there")).marks, [11]);
    await emulator.idle();
    assertEquals(sent(), ["Hello there", "Flush", "Close"]);
    const nothing = await say(tts);
    assertEquals([nothing.events, nothing.error], [[], undefined]);
  });

  it("keeps samples whole, in frames of 100 ms at most, however the bytes come", async () => {
    const sound = (_text: string, from: number, count: number) =>
      Int16Array.from({ length: count }, (_, i) => (from + i) * 7 - 9_000);
    for (const chunkBytes of [1, 333, 4_801, 50_000]) {
      const msPerWord = chunkBytes === 1 ? 1 : 400;
      const { emulator, tts } = await start({ chunkBytes, sound, msPerWord, speed: 1000 });
      await using _ = emulator;
      const { samples, events } = await say(tts, "Hello");
      assertEquals(samples, [...sound("", 0, msPerWord * 24)]);
      for (const event of events) assert(event.type !== "audio" || event.frame.samples.length <= 2_400);
    }
  });

  it("keeps one connection for the session, made ahead", async () => {
    const { emulator, clock, tts, session, sent } = await start();
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    while (emulator.connections.length === 0) await clock.settle();
    assertEquals((await say(voice, "One.")).samples, wordsOf([4, 1]));
    assertEquals((await say(voice, "Three.")).samples, wordsOf([6, 1]));
    assertEquals(sent(), ["One.", "Flush", "Three.", "Flush"]);
    session.abort();
    await emulator.idle();
    assertEquals(emulator.connections.map(({ closed }) => closed), [1000]);
    assertEquals(clock.pending, 0);
  });

  it("opens it again when it died between replies", async () => {
    const { emulator, clock, tts, session } = await start({
      fault: (_, n) => n === 0 ? { type: "close", code: 1006, afterMs: 40 } : undefined,
    });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    await say(voice, "One.");
    while (emulator.connections[0]?.closed === undefined) await clock.settle();
    await clock.settle();
    const { samples, error } = await say(voice, "Three.");
    assertEquals([samples, error], [wordsOf([6, 1]), undefined]);
    assertEquals(emulator.connections.length, 2);
    session.abort();
    await emulator.idle();
  });

  it("lets nothing of a reply that was cut off into the next, which may begin at once", async () => {
    const { emulator, clock, tts, session, sent } = await start({ clearMs: 30, speed: 5 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const cut = reply(voice, "A very long sentence that is cut off while it is spoken, and then some. ");
    await cut.firstAudio;
    cut.abort.abort(new DOMException("interrupted", "AbortError"));
    const next = say(voice, "Next.");
    assertEquals((await cut.done).error, cut.abort.signal.reason);
    const { samples, marks, error } = await next;
    assertEquals([samples, marks, error], [wordsOf([5, 1]), [5], undefined]);
    assertEquals(sent()?.slice(1), ["Flush", "Clear", "Next.", "Flush"]);
    assertEquals(emulator.connections.length, 1);
    assertEquals(clock.pending, 0);
    session.abort();
    await emulator.idle();
  });

  it("gives a connection up that does not confirm a Clear within 1 s", async () => {
    const { emulator, clock, tts, session } = await start({ clearMs: 1e6, speed: 5 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const cut = reply(voice, "A very long sentence that is cut off while it is spoken. ");
    await cut.firstAudio;
    cut.abort.abort();
    await cut.done;
    const next = say(voice, "Next.");
    while (clock.pending === 0) await clock.settle();
    await clock.advance(1_000);
    assertEquals((await next).samples, wordsOf([5, 1]));
    assertEquals(emulator.connections.length, 2);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("clears when nobody reads any more, and when the text fails", async () => {
    const { emulator, clock, tts, session, sent } = await start({ speed: 5 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const failing = reply(voice, "A sentence that is never finished, because the words end. ");
    await failing.firstAudio;
    const lost = new StageError("llm", "the model failed");
    failing.text.error(lost);
    assertEquals((await failing.done).error, lost);
    const { signal } = new AbortController();
    const left = voice.synthesize(ReadableStream.from(["Nobody listens to this."]), { signal }).getReader();
    assertEquals((await left.read()).value?.type, "audio");
    await left.cancel();
    assertEquals((await say(voice, "Next.")).samples, wordsOf([5, 1]));
    assertEquals(sent()?.filter((type) => type === "Clear").length, 2);
    assertEquals(clock.pending, 0);
    session.abort();
    await emulator.idle();
  });

  it("gets new Flush messages by a new connection, before they run out", async () => {
    const { emulator, clock, tts, session, sent, log } = await start({ msPerWord: 1 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    for (let n = 0; n < 16; n++) assertEquals((await say(voice, "One. ", "Two.")).error, undefined);
    const flushes = (n: number) => sent(n)?.filter((type) => type === "Flush").length;
    assertEquals([flushes(0), flushes(1)], [16, 16]);
    await say(voice, "One. ", "Two.");
    await clock.advance(60_000);
    for (let n = 0; n < 3; n++) await say(voice, "One. ", "Two.");
    assertEquals(flushes(2), 8);
    assertEquals(log.lines, []);
    session.abort();
    await emulator.idle();
  });

  it("is not warned in a long and chatty call, and speaks every first clause at once", async () => {
    const clock = fakeClock();
    const { emulator, log, tts, session, sent } = await start({ clock, firstAudioMs: 80 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const replies = 60;
    for (let n = 0; n < replies; n++) {
      const { text, done, abort, firstAudio } = reply(voice, `Reply ${n}. `);
      let [sounds, over] = [false, false];
      void firstAudio.then(() => sounds = true);
      void done.then(() => over = true);
      for (let more = 0; more < n % 5; more++) text.push({ text: "And more. " });
      if (n % 3 !== 0) text.close();
      while (!over) {
        if (n % 3 === 0 && sounds) abort.abort(new DOMException("cut off", "AbortError"));
        await clock.advance(10);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await clock.advance(500);
    }
    assert(clock.now() < 60_000, "it was chatty");
    const all = emulator.connections.flatMap((_, i) => sent(i) ?? []);
    const firsts = all.flatMap((message, i) => /^Reply/.test(message) ? [all[i + 1]] : []);
    assertEquals(firsts, Array<string>(replies).fill("Flush"));
    assertEquals(log.lines, []);
    session.abort();
    await emulator.idle();
    assertEquals(new Set(emulator.connections.map(({ closed }) => closed)), new Set([1000]));
  });

  const faults: Record<string, { fault: Fault; message: RegExp; retryable: boolean }> = {
    "a refused key": {
      fault: { type: "status", status: 401 },
      message: /^Deepgram refused the key \(401\): check DEEPGRAM_API_KEY$/,
      retryable: false,
    },
    "too many connections": { fault: { type: "status", status: 429 }, message: /429/, retryable: true },
    "no answer at the door": { fault: { type: "refuse" }, message: /cannot be reached/, retryable: true },
    "a close in the middle": {
      fault: { type: "close", code: 1011, reason: "oops", afterMs: 40 },
      message: /1011: oops/,
      retryable: true,
    },
    "a close without a code": {
      fault: { type: "close", code: 1005, afterMs: 40 },
      message: /1005/,
      retryable: true,
    },
    "a lost connection": {
      fault: { type: "close", code: 1006, afterMs: 40 },
      message: /1006/,
      retryable: true,
    },
    "what is not JSON": {
      fault: { type: "malformed", text: "{oops", afterMs: 40 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "an error": {
      fault: {
        type: "malformed",
        text: '{"type":"Error","code":"DATA-0001","description":"no"}',
        afterMs: 40,
      },
      message: /Deepgram reports DATA-0001: no/,
      retryable: true,
    },
    "a warning": {
      fault: {
        type: "malformed",
        text: '{"type":"Warning","code":"TEXT","description":"long"}',
        afterMs: 40,
      },
      message: /Deepgram reports TEXT: long/,
      retryable: true,
    },
  };
  for (const [name, { fault, message, retryable }] of Object.entries(faults)) {
    it(`fails in words, and leaves nothing behind: ${name}`, async () => {
      const { emulator, clock, tts } = await start({ fault: () => fault });
      await using _ = emulator;
      const { text, done } = reply(tts, "One two three four five six seven. ", "Eight.");
      const { error } = await done;
      assert(error instanceof StageError);
      assertEquals([error.stage, error.retryable], ["tts", retryable]);
      assertMatch(error.message, message);
      assert(!Deno.inspect(error).includes(apiKey));
      text.push({ text: "too late" });
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }

  it("survives a refused Flush in the middle, and says so when it was the last", async () => {
    const warning = '{"type":"Warning","code":"EXCESSIVE_FLUSH","description":"no more"}';
    const fault = { type: "malformed", text: warning, afterMs: 40 } as const;
    const { emulator, clock, tts, log } = await start({ speed: 2, fault: () => fault });
    await using _ = emulator;
    const { text, done } = reply(tts, "One two three. ");
    while (log.lines.length === 0) await clock.settle();
    text.push({ text: "Four." });
    text.close();
    const spoken = await done;
    assertEquals([spoken.error, spoken.marks], [undefined, [20]]);
    const { error } = await say(tts, "One two three four five six. ");
    assert(error instanceof StageError);
    assertMatch(error.message, /too many Flush/);
    assertEquals(log.lines.map(({ level, message }) => [level, message]), [
      ["warn", "Deepgram warns"],
      ["warn", "Deepgram warns"],
    ]);
  });

  for (const fault of ["no-handshake", "half-open"] as const) {
    it(`lets go at once when aborted: ${fault}`, async () => {
      const { emulator, clock, tts } = await start({ fault: () => ({ type: fault }) });
      await using _ = emulator;
      const { abort, done } = reply(tts, "Hello.");
      while (emulator.open === 0) await clock.settle();
      abort.abort(new DOMException("over", "AbortError"));
      assertEquals((await done).error, abort.signal.reason);
      await clock.advance(1_000);
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }

  it("opens nothing for what was aborted before", async () => {
    const { emulator, tts, session } = await start();
    await using _ = emulator;
    const text = ReadableStream.from(["Hello."]);
    const stream = tts.synthesize(text, { signal: AbortSignal.abort("early") });
    assertEquals(await stream.getReader().read().catch((error) => error), "early");
    session.abort();
    tts.connect?.(session);
    assertEquals([emulator.open, emulator.connections.length], [0, 0]);
  });
});
