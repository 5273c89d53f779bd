import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { cartesiaTextToSpeech, type CartesiaTextToSpeechOptions } from "../../src/tts/cartesia.ts";
import type { WordTime } from "../../src/tts/tts.ts";
import { type CartesiaEmulatorOptions, type Fault, startCartesiaEmulator } from "../emulators/cartesia.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { reply, say } from "../fakes/spoken.ts";

const apiKey = "test-key";
const sampleRate = 24_000;
const msPerWord = 40;

/** An emulator that answers at once; the sound of a text is its length, as every sample. */
async function start(
  options: CartesiaEmulatorOptions = {},
  given: Partial<CartesiaTextToSpeechOptions> = {},
) {
  const emulator = await startCartesiaEmulator({
    firstAudioMs: 0,
    speed: 50,
    msPerWord,
    chunkMs: 30,
    sound: (text, count) => new Int16Array(count).fill(text.length),
    ...options,
  });
  const clock = fakeClock();
  const log = fakeLog();
  const tts = cartesiaTextToSpeech({ apiKey, baseUrl: emulator.url, clock, log, ...given });
  const session = new AbortController();
  /** What was sent, in short: a context's text as it is, its end, its cancellation. */
  const sent = (n = 0) =>
    emulator.connections[n]?.messages.map(({ context_id: id, transcript, cancel, continue: more }) =>
      `${id?.replace("context-", "")}:${cancel ? "cancel" : more ? transcript : "end"}`
    );
  return { emulator, clock, log, tts, session, sent };
}

const soundOf = (...values: [value: number, words: number][]): number[] =>
  values.flatMap(([value, words]) => Array<number>(words * msPerWord * sampleRate / 1000).fill(value));

/** The words of `text` as the emulator says them: 40 ms each, a tenth of it silence. */
const timesOf = (text: string): WordTime[] =>
  text.trim().split(/\s+/).map((text, i) => (
    { text, startMs: i * msPerWord, endMs: (i + 0.9) * msPerWord }
  ));

/** Whole milliseconds, and no traces of how they were computed. */
const rounded = (words: readonly WordTime[]): WordTime[] =>
  words.map(({ text, startMs, endMs }) => (
    { text, startMs: Math.round(startMs), endMs: Math.round(endMs) }
  ));

/** Lets the sockets work until `is` holds. */
async function settled(clock: FakeClock, is: () => boolean) {
  for (let i = 0; !is(); i++) {
    assert(i < 10_000, `waited in vain for ${is}`);
    await clock.settle();
  }
}

describe("Cartesia, speaking", () => {
  it("asks for what it needs, speaks every clause as it comes, and hangs up", async () => {
    const { emulator, clock, tts, sent } = await start();
    await using _ = emulator;
    const { samples, marks, error } = await say(tts, "One two. ", "Three,\nfour five. ", "… ", "Six");
    assertEquals(error, undefined);
    assertEquals(samples, soundOf([9, 2], [18, 3], [3, 1]));
    assertEquals(marks, [32]);
    await emulator.idle();
    assertEquals(sent(), ["1:One two. ", "1:Three, four five. ", "1:Six", "1:end"]);
    const [connection] = emulator.connections;
    assertEquals([connection?.key, connection?.version], ["test-key", "2026-03-01"]);
    assertEquals(connection?.messages[0], {
      model_id: "sonic-3",
      voice: { mode: "id", id: "f786b574-daa5-4673-aa0c-cbe3e8534c02" },
      output_format: { container: "raw", encoding: "pcm_s16le", sample_rate: 24_000 },
      add_timestamps: true,
      use_normalized_timestamps: false,
      max_buffer_delay_ms: 0,
      context_id: "context-1",
      transcript: "One two. ",
      continue: true,
    });
    assertEquals(clock.pending, 0);
  });

  it("asks for a model, a voice, a language, and how to speak", async () => {
    const options = { language: "de-AT", speed: 1.5, volume: 0.5, emotion: "calm" };
    const { emulator, tts } = await start({}, { model: "sonic-3.5", voice: "abc", ...options });
    await using _ = emulator;
    assertEquals((await say(tts, "Hallo.")).error, undefined);
    const [message] = emulator.connections[0]?.messages ?? [];
    assertEquals([message?.model_id, message?.voice?.id, message?.language], ["sonic-3.5", "abc", "de"]);
    assertEquals(message?.generation_config, { speed: 1.5, volume: 0.5, emotion: "calm" });
  });

  it("says when each word sounds", async () => {
    const { emulator, tts } = await start();
    await using _ = emulator;
    const text = ["Hello there. ", "This is a somewhat longer sentence. ", "Bye."];
    const { words, error } = await say(tts, ...text);
    assertEquals([rounded(words), error], [timesOf(text.join("")), undefined]);
  });

  it("speaks without times", async () => {
    const { emulator, tts } = await start({ times: false });
    await using _ = emulator;
    const { words, samples, marks } = await say(tts, "One two. ", "Three.");
    assertEquals([words, samples, marks], [[], soundOf([9, 2], [6, 1]), [15]]);
  });

  it("begins another context after a pause in which the first may expire, and goes on with the times", async () => {
    const { emulator, clock, tts, session, sent } = await start();
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const { text, done, firstAudio } = reply(voice, "One two. ");
    await firstAudio;
    await settled(clock, () => clock.pending === 0);
    for (let i = 0; i < 20; i++) await clock.settle(); // what is left of the audio
    await clock.advance(500);
    text.push({ text: "Three four. " });
    await settled(clock, () => sent()?.length === 3);
    text.push({ text: "Five." });
    text.close();
    const { samples, words, marks, error } = await done;
    assertEquals(error, undefined);
    assertEquals(samples, soundOf([9, 2], [12, 2], [5, 1]));
    assertEquals(rounded(words), timesOf("One two. Three four. Five."));
    assertEquals(marks, [9, 26]);
    assertEquals(sent(), ["1:One two. ", "1:end", "2:Three four. ", "2:Five.", "2:end"]);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("begins another context after one that has expired", async () => {
    const clock = fakeClock();
    await using emulator = await startCartesiaEmulator({ clock, msPerWord, firstAudioMs: 0 });
    const tts = cartesiaTextToSpeech({ apiKey, baseUrl: emulator.url, clock });
    const { text, done, firstAudio } = reply(tts, "One two. ");
    await settled(clock, () => (emulator.connections[0]?.messages.length ?? 0) === 1);
    await clock.advance(100);
    await firstAudio;
    await clock.advance(1_000);
    text.push({ text: "Three." });
    text.close();
    const messages = emulator.connections[0]?.messages ?? [];
    await settled(clock, () => messages.at(-1)?.context_id === "context-2" && !messages.at(-1)?.continue);
    await clock.advance(100);
    const { marks, words, error } = await done;
    assertEquals([marks, words.length, error], [[9, 15], 3, undefined]);
    const spoken = messages.filter(({ transcript }) => transcript);
    assertEquals(spoken.map(({ context_id: id }) => id), ["context-1", "context-2"]);
  });

  it("opens no reply that has nothing to say", async () => {
    const { emulator, tts, sent } = await start();
    await using _ = emulator;
    for (const clauses of [[], ["… ", "!"]]) {
      const { events, error } = await say(tts, ...clauses);
      assertEquals([events, error], [[], undefined]);
    }
    await emulator.idle();
    assertEquals([sent(0), sent(1)], [[], []]);
  });

  it("keeps one connection for the session, made ahead", async () => {
    const { emulator, clock, tts, session, sent } = await start();
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    await settled(clock, () => emulator.connections.length === 1);
    assertEquals((await say(voice, "One.")).samples, soundOf([4, 1]));
    assertEquals((await say(voice, "Three.")).samples, soundOf([6, 1]));
    assertEquals(sent(), ["1:One.", "1:end", "2:Three.", "2:end"]);
    session.abort();
    await emulator.idle();
    assertEquals(emulator.connections.map(({ closed }) => closed), [1000]);
    assertEquals(clock.pending, 0);
  });

  it("has another connection ready when one was idle for too long", async () => {
    const clock = fakeClock();
    await using emulator = await startCartesiaEmulator({ clock });
    const log = fakeLog();
    const tts = cartesiaTextToSpeech({ apiKey, baseUrl: emulator.url, clock, log });
    const session = new AbortController();
    tts.connect?.(session);
    await settled(clock, () => emulator.connections.length === 1 && clock.pending === 1);
    await clock.advance(300_000);
    await settled(clock, () => emulator.connections.length === 2);
    assertEquals(emulator.connections.map(({ closed }) => closed), [1000, undefined]);
    assertEquals(log.lines.map(({ level, message }) => [level, message]), [
      ["info", "an idle connection was lost"],
    ]);
    session.abort();
    await emulator.idle();
    await settled(clock, () => clock.pending === 0); // the emulator's own
  });

  it("cancels what was cut off, and lets nothing of it into the next reply, which may begin at once", async () => {
    const { emulator, clock, tts, session, sent } = await start({ speed: 5 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const cut = reply(voice, "A very long sentence that is cut off while it is spoken, ", "and then some. ");
    await cut.firstAudio;
    cut.abort.abort(new DOMException("interrupted", "AbortError"));
    const next = say(voice, "Next.");
    assertEquals((await cut.done).error, cut.abort.signal.reason);
    const { samples, words, error } = await next;
    assertEquals([samples, words.map(({ text }) => text), error], [soundOf([5, 1]), ["Next."], undefined]);
    assertEquals(sent()?.slice(2, 4), ["1:cancel", "2:Next."]);
    assertEquals(emulator.connections.length, 1);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("replaces a connection that is deaf", async () => {
    const { emulator, clock, tts, session } = await start({
      fault: (_, n) => n === 0 ? { type: "half-open" } : undefined,
    });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    await settled(clock, () => clock.pending === 0); // the handshake is over
    const deaf = reply(voice, "Is anybody there? ");
    for (let i = 0; i < 20; i++) await clock.settle();
    await clock.advance(3_000);
    deaf.abort.abort();
    await deaf.done;
    assertEquals((await say(voice, "Yes.")).samples, soundOf([4, 1]));
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("passes over what comes of a context that was cancelled, an error too", async () => {
    const text = '{"type":"error","done":true,"status_code":400,"title":"x","context_id":"context-9"}';
    const { emulator, tts } = await start({ fault: () => ({ type: "malformed", text, afterMs: 0 }) });
    await using _ = emulator;
    assertEquals((await say(tts, "One.")).error, undefined);
  });

  const ofReply = (fields: Record<string, unknown>): Fault => ({
    type: "malformed",
    text: JSON.stringify({ type: "error", done: true, context_id: "context-1", ...fields }),
    afterMs: 40,
  });
  const faults: Record<string, { fault: Fault; message: RegExp; retryable: boolean; refused?: boolean }> = {
    "a refused key": {
      fault: { type: "status", status: 401 },
      message: /^Cartesia refused the key \(401\): check CARTESIA_API_KEY$/,
      retryable: false,
      refused: true,
    },
    "too many connections": { fault: { type: "status", status: 429 }, message: /429/, retryable: true },
    "no answer at the door": { fault: { type: "refuse" }, message: /cannot be reached/, retryable: true },
    "a lost connection": {
      fault: { type: "close", code: 1006, afterMs: 40 },
      message: /Cartesia closed the connection with code 1006/,
      retryable: true,
    },
    "what is not JSON": {
      fault: { type: "malformed", text: "{oops", afterMs: 40 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "audio that is none": {
      fault: { type: "malformed", text: '{"type":"chunk","data":"%","context_id":"context-1"}', afterMs: 40 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "too many at once": {
      fault: ofReply({ title: "Too many requests", message: "The limit is reached.", status_code: 429 }),
      message: /^Cartesia reports Too many requests: The limit is reached\. \(429\)$/,
      retryable: true,
    },
    "a model that there is not": {
      fault: ofReply({ title: "Invalid model", message: "There is no such model.", status_code: 400 }),
      message: /Invalid model: There is no such model\. \(400\)/,
      retryable: false,
    },
    "a key that is refused late": {
      fault: ofReply({ title: "Unauthorized", status_code: 401 }),
      message: /Unauthorized \(401\); check CARTESIA_API_KEY/,
      retryable: false,
      refused: true,
    },
    "an error of no reply": {
      fault: ofReply({ context_id: undefined, status_code: 500 }),
      message: /Cartesia reports an error \(500\)/,
      retryable: true,
    },
  };
  for (const [name, { fault, message, retryable, refused = false }] of Object.entries(faults)) {
    it(`fails in words, and leaves nothing behind: ${name}`, async () => {
      const { emulator, clock, tts } = await start({ fault: () => fault });
      await using _ = emulator;
      const { text, done } = reply(tts, "One two three four five six seven. ", "Eight. ");
      const { error } = await done;
      assert(error instanceof StageError);
      assertEquals([error.stage, error.retryable, error.refused], ["tts", retryable, refused]);
      assertMatch(error.message, message);
      assert(!Deno.inspect(error).includes(apiKey));
      text.push({ text: "too late" });
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }

  it("fails when a context ends before its text was spoken", async () => {
    const text = '{"type":"done","done":true,"context_id":"context-1"}';
    const fault: Fault = { type: "malformed", text, afterMs: 40 };
    const { emulator, clock, tts } = await start({ fault: () => fault });
    await using _ = emulator;
    const { error } = await reply(tts, "One. ", "Two. ").done;
    assert(error instanceof StageError && error.retryable);
    assertMatch(error.message, /before its text was spoken/);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  for (const fault of ["no-handshake", "half-open"] as const) {
    it(`lets go at once when aborted: ${fault}`, async () => {
      const { emulator, clock, tts } = await start({ fault: () => ({ type: fault }) });
      await using _ = emulator;
      const { abort, done } = reply(tts, "Hello.");
      await settled(clock, () => emulator.open > 0);
      abort.abort(new DOMException("over", "AbortError"));
      assertEquals((await done).error, abort.signal.reason);
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });
  }

  it("opens nothing for what was aborted before, and fails what the session's end cuts off", async () => {
    const { emulator, clock, tts, session } = await start({ speed: 5 });
    await using _ = emulator;
    const stream = tts.synthesize(ReadableStream.from(["Hello."]), { signal: AbortSignal.abort("early") });
    assertEquals(await stream.getReader().read().catch((error) => error), "early");
    assertEquals(emulator.connections.length, 0);
    const voice = tts.connect?.(session) ?? tts;
    const cut = reply(voice, "A very long sentence that is cut off. ");
    await cut.firstAudio;
    session.abort();
    assertMatch(String((await cut.done).error), /the session has ended/);
    assertMatch(String((await say(voice, "Too late.")).error), /the session has ended/);
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });
});
