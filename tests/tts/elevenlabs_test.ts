import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { elevenlabsTextToSpeech, type ElevenLabsTextToSpeechOptions } from "../../src/tts/elevenlabs.ts";
import type { WordTime } from "../../src/tts/tts.ts";
import {
  type ElevenLabsEmulatorOptions,
  type Fault,
  startElevenLabsEmulator,
} from "../emulators/elevenlabs.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { reply, say } from "../fakes/spoken.ts";

const apiKey = "test-key";
const sampleRate = 24_000;
const msPerWord = 40;

/** An emulator that answers at once; the sound of a text is its length, as every sample. */
async function start(
  options: ElevenLabsEmulatorOptions = {},
  given: Partial<ElevenLabsTextToSpeechOptions> = {},
) {
  const emulator = await startElevenLabsEmulator({
    firstAudioMs: 0,
    speed: 50,
    msPerWord,
    chunkMs: 30,
    sound: (text, count) => new Int16Array(count).fill(text.trim().length),
    ...options,
  });
  const clock = fakeClock();
  const log = fakeLog();
  const tts = elevenlabsTextToSpeech({ apiKey, baseUrl: emulator.url, clock, log, ...given });
  const session = new AbortController();
  /** What was sent, in short: text as it is, the start of a context, its end, a keep-alive. */
  const sent = (n = 0) =>
    emulator.connections[n]?.messages.map((message) => {
      const { text, context_id: id, close_context: ends } = message;
      return `${id?.replace("context-", "")}:${ends ? "end" : text === " " ? "start" : text}`;
    });
  return { emulator, clock, log, tts, session, sent };
}

const soundOf = (...values: [value: number, words: number][]): number[] =>
  values.flatMap(([value, words]) => Array<number>(words * msPerWord * sampleRate / 1000).fill(value));

/** The words of `text` as the emulator says them: 40 ms each, the space after it included. */
function timesOf(text: string): WordTime[] {
  return text.trim().split(/\s+/).map((word, i) => {
    const startMs = i * msPerWord;
    return { text: word, startMs, endMs: startMs + msPerWord * word.length / (word.length + 1) };
  });
}

/** Lets the sockets work until `is` holds. */
async function settled(clock: FakeClock, is: () => boolean) {
  for (let i = 0; !is(); i++) {
    assert(i < 10_000, `waited in vain for ${is}`);
    await clock.settle();
  }
}

/** Lets time pass, and the sockets work, until `work` is done. */
async function advancing<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let done = false;
  work.finally(() => done = true);
  for (let ms = 0; !done && ms < 10_000; ms += 10) await clock.advance(10);
  return await work;
}

/** Whether two lists of words agree, their times to 2 ms (the wire has whole milliseconds). */
function assertWords(actual: readonly WordTime[], expected: readonly WordTime[]) {
  assertEquals(actual.map(({ text }) => text), expected.map(({ text }) => text));
  for (const [i, { startMs, endMs }] of actual.entries()) {
    const wanted = expected[i]!;
    assert(
      Math.abs(startMs - wanted.startMs) <= 2,
      `${wanted.text} starts at ${startMs}, not ${wanted.startMs}`,
    );
    assert(Math.abs(endMs - wanted.endMs) <= 2, `${wanted.text} ends at ${endMs}, not ${wanted.endMs}`);
  }
}

describe("ElevenLabs, speaking", () => {
  it("asks for what it needs, speaks every clause as it comes, and hangs up", async () => {
    const { emulator, clock, tts, sent } = await start();
    await using _ = emulator;
    const { samples, marks, error } = await say(tts, "One two. ", "Three,\nfour five.  ", "…", "Six");
    assertEquals(error, undefined);
    assertEquals(samples, soundOf([8, 2], [17, 3], [3, 1]));
    assertEquals(marks, [32]);
    await emulator.idle();
    assertEquals(sent(), ["1:start", "1:One two. ", "1:Three, four five. ", "1:Six ", "1:end"]);
    const [connection] = emulator.connections;
    assert(connection);
    assert(connection.messages.slice(1, 4).every(({ flush }) => flush));
    assertEquals(connection.messages[0]?.voice_settings, {});
    assertEquals(connection.voice, "JBFqnCBsd6RMkjVDRZzb");
    assertEquals(Object.fromEntries(connection.query), {
      model_id: "eleven_turbo_v2_5",
      output_format: "pcm_24000",
      auto_mode: "true",
      sync_alignment: "true",
      inactivity_timeout: "180",
    });
    assertEquals(connection.key, "test-key");
    assertEquals(clock.pending, 0);
  });

  it("asks for a model, a voice, its settings, and for a language where the model takes one", async () => {
    const settings = { speed: 1.1, stability: 0.4, similarity: 0.9, language: "de-AT" };
    const { emulator, tts } = await start({}, { model: "eleven_flash_v2_5", voice: "abc", ...settings });
    await using _ = emulator;
    assertEquals((await say(tts, "Hallo.")).error, undefined);
    const [connection] = emulator.connections;
    assertEquals([connection?.voice, connection?.query.get("language_code")], ["abc", "de"]);
    assertEquals(connection?.messages[0]?.voice_settings, {
      speed: 1.1,
      stability: 0.4,
      similarity_boost: 0.9,
    });
    const older = await start({}, { model: "eleven_turbo_v2", language: "en" });
    await using _older = older.emulator;
    assertEquals((await say(older.tts, "Hello.")).error, undefined);
  });

  const text = ["Hello there. ", "This is a somewhat longer sentence, in which words are cut. ", "Bye."];
  const shapes: Record<string, ElevenLabsEmulatorOptions> = {
    "with each piece of audio": { chunkMs: 30 },
    "in pieces longer than a text": { chunkMs: 5_000 },
    "all with the first piece": { times: "text" },
    "spelt in snake case": { names: "snake", chunkMs: 70 },
  };
  for (const [name, options] of Object.entries(shapes)) {
    it(`says when each word sounds, in the reply's time: ${name}`, async () => {
      const { emulator, tts } = await start(options);
      await using _ = emulator;
      const { words, samples, error } = await say(tts, ...text);
      assertEquals(error, undefined);
      assertWords(words, timesOf(text.join("")));
      assertEquals(samples.length, soundOf([0, words.length]).length);
    });
  }

  it("speaks without times, and ends the reply when it falls silent", async () => {
    const { emulator, clock, tts } = await start({ times: "none" });
    await using _ = emulator;
    const whole = say(tts, "One two. ", "Three.");
    await settled(clock, () => clock.pending > 0);
    const { words, samples } = await advancing(clock, whole);
    assertEquals([words, samples], [[], soundOf([8, 2], [6, 1])]);
  });

  it("does not end a context before its last text sounds: it would be dropped", async () => {
    const { emulator, tts, sent } = await start({ firstAudioMs: 30 });
    await using _ = emulator;
    const { text, done, firstAudio } = reply(tts, "One two three four. ");
    await firstAudio;
    text.push({ text: "Five." });
    text.close();
    assertEquals((await done).samples, soundOf([19, 4], [5, 1]));
    assertEquals(sent()?.at(-1), "1:end");
  });

  it("does not end a context before the first sound, however late that is", async () => {
    const clock = fakeClock();
    await using emulator = await startElevenLabsEmulator({ clock, firstAudioMs: 3_000, msPerWord });
    const tts = elevenlabsTextToSpeech({ apiKey, baseUrl: emulator.url, clock });
    const { samples, error } = await advancing(clock, say(tts, "One two."));
    assertEquals([samples.length, error], [soundOf([0, 2]).length, undefined]);
  });

  it("leaves no timer behind when it is cut off before it has fallen silent", async () => {
    const { emulator, clock, tts } = await start({ times: "none" });
    await using _ = emulator;
    const { text, done, abort } = reply(tts, "One two. ");
    text.close();
    await settled(clock, () => clock.pending > 1); // the keep-alive, and the end
    abort.abort();
    assertEquals((await done).error, abort.signal.reason);
    assertEquals(clock.pending, 0);
  });

  it("opens no reply that has nothing to say", async () => {
    const { emulator, tts, sent } = await start();
    await using _ = emulator;
    for (const clauses of [[], ["… ", "!"]]) {
      const { events, error } = await say(tts, ...clauses);
      assertEquals([events, error], [[], undefined]);
    }
    await emulator.idle();
    assertEquals([sent(0), sent(1)], [["1:start"], ["1:start"]]);
  });

  it("keeps one connection for the session, made ahead, and alive", async () => {
    const { emulator, clock, tts, session, sent } = await start();
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    await settled(clock, () => sent()?.length === 1);
    assertEquals((await say(voice, "One.")).samples, soundOf([4, 1]));
    assertEquals((await say(voice, "Three.")).samples, soundOf([6, 1]));
    await clock.advance(16_000);
    await settled(clock, () => sent()?.length === 9);
    assertEquals(sent(), [
      ...["1:start", "1:One. ", "1:end"],
      ...["2:start", "2:Three. ", "2:end"],
      ...["3:start", "3:", "3:"],
    ]);
    session.abort();
    await emulator.idle();
    assertEquals(emulator.connections.map(({ closed }) => closed), [1000]);
    assertEquals(clock.pending, 0);
  });

  it("stays connected through a long silence", async () => {
    const clock = fakeClock();
    await using emulator = await startElevenLabsEmulator({ clock });
    const log = fakeLog();
    const tts = elevenlabsTextToSpeech({ apiKey, baseUrl: emulator.url, clock, log });
    const session = new AbortController();
    tts.connect?.(session);
    await settled(clock, () => emulator.connections[0]?.messages.length === 1);
    for (let n = 2; n <= 100; n++) {
      await clock.advance(8_000);
      await settled(clock, () => emulator.connections[0]!.messages.length === n);
    }
    assertEquals(emulator.connections.map(({ closed }) => closed), [undefined]);
    assertEquals(log.lines, []);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("keeps a context alive whose text is slow to come, and none that it has ended", async () => {
    const { emulator, clock, tts, sent } = await start();
    await using _ = emulator;
    const { text, done, firstAudio } = reply(tts, "One. ");
    await firstAudio;
    await clock.advance(8_000);
    text.push({ text: "Two." });
    text.close();
    await done;
    assertEquals(sent(), ["1:start", "1:One. ", "1:", "1:Two. ", "1:end"]);
  });

  it("lets nothing of a reply that was cut off into the next, which may begin at once", async () => {
    const { emulator, clock, tts, session, sent } = await start({ speed: 5 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    const cut = reply(voice, "A very long sentence that is cut off while it is spoken, and then some. ");
    await cut.firstAudio;
    cut.abort.abort(new DOMException("interrupted", "AbortError"));
    const next = say(voice, "Next.");
    assertEquals((await cut.done).error, cut.abort.signal.reason);
    const { samples, words, error } = await next;
    assertEquals([samples, words.map(({ text }) => text), error], [soundOf([5, 1]), ["Next."], undefined]);
    assertEquals(sent()?.slice(2, 5), ["1:end", "2:start", "2:Next. "]);
    assertEquals(emulator.connections.length, 1);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("never has more contexts than a connection holds, however fast replies are cut off", async () => {
    const { emulator, tts, session, log } = await start({ speed: 1 });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    for (let n = 0; n < 12; n++) {
      const cut = reply(
        voice,
        "A very long sentence that is cut off while it is spoken, and goes on for long. ",
      );
      await cut.firstAudio;
      cut.abort.abort();
      assertEquals((await cut.done).error, cut.abort.signal.reason);
    }
    assertEquals((await say(voice, "Next.")).error, undefined);
    assert(
      emulator.connections.length > 1 && emulator.connections.length <= 5,
      String(emulator.connections.length),
    );
    assert(emulator.connections.every(({ closed = 1000 }) => closed === 1000));
    assertEquals(log.lines, []);
    session.abort();
    await emulator.idle();
  });

  it("replaces a connection that dies between replies, before the next one", async () => {
    const { emulator, clock, tts, session, log } = await start();
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    assertEquals((await say(voice, "One.")).samples, soundOf([4, 1]));
    await clock.advance(5_000);
    emulator.drop();
    await settled(clock, () => emulator.connections.length === 2);
    assertEquals((await say(voice, "Two.")).samples, soundOf([4, 1]));
    // One that has only just been opened may be refused again: it waits for a reply.
    emulator.drop();
    await settled(clock, () => emulator.open === 0 && log.lines.length === 2);
    await clock.advance(60_000);
    assertEquals(emulator.connections.length, 2);
    assertEquals((await say(voice, "Three.")).samples, soundOf([6, 1]));
    assertEquals(log.lines.map(({ message }) => message), [
      "an idle connection was lost",
      "an idle connection was lost",
    ]);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("takes a new connection after one that was idle for too long", async () => {
    const text = '{"message":"Have not received a new text","error":"input_timeout_exceeded","code":1008}';
    const { emulator, clock, tts, session, log } = await start({
      fault: (_, n) => n === 0 ? { type: "malformed", text, afterMs: 0 } : undefined,
    });
    await using _ = emulator;
    const voice = tts.connect?.(session) ?? tts;
    await settled(clock, () => log.lines.length > 0);
    assertEquals(log.lines.map(({ level, message }) => [level, message]), [
      ["info", "an idle connection was lost"],
    ]);
    assertEquals((await say(voice, "Two.")).samples, soundOf([4, 1]));
    assertEquals(emulator.connections.length, 2);
    session.abort();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });

  it("passes over what comes of a context that was cut off, an error too", async () => {
    const text = '{"error":"system_busy","code":1011,"contextId":"context-9"}';
    const { emulator, tts } = await start({ fault: () => ({ type: "malformed", text, afterMs: 0 }) });
    await using _ = emulator;
    assertEquals((await say(tts, "One.")).error, undefined);
  });

  const faults: Record<string, { fault: Fault; message: RegExp; retryable: boolean; refused?: boolean }> = {
    "a refused key": {
      fault: { type: "status", status: 401 },
      message: /^ElevenLabs refused the key \(401\): check ELEVENLABS_API_KEY$/,
      retryable: false,
      refused: true,
    },
    "too many connections": { fault: { type: "status", status: 429 }, message: /429/, retryable: true },
    "no answer at the door": { fault: { type: "refuse" }, message: /cannot be reached/, retryable: true },
    "a close in the middle": {
      fault: { type: "close", code: 1008, reason: "We are sorry, something went wrong.", afterMs: 40 },
      message: /1008: We are sorry/,
      retryable: true,
    },
    "a lost connection": {
      fault: { type: "close", code: 1006, afterMs: 40 },
      message: /ElevenLabs closed the connection with code 1006/,
      retryable: true,
    },
    "what is not JSON": {
      fault: { type: "malformed", text: "{oops", afterMs: 40 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "audio that is none": {
      fault: { type: "malformed", text: '{"audio":"%","contextId":"context-1"}', afterMs: 40 },
      message: /sent a message that is none/,
      retryable: true,
    },
    "an error with a code": {
      fault: {
        type: "malformed",
        text: '{"message":"You have 3 credits remaining.","error":"quota_exceeded","code":1008}',
        afterMs: 0,
      },
      message: /ElevenLabs reports quota_exceeded \(1008\): You have 3 credits remaining\./,
      retryable: false,
    },
    "an error of this reply": {
      fault: {
        type: "malformed",
        text: '{"message":"busy","error":"system_busy","code":"1011","context_id":"context-1"}',
        afterMs: 40,
      },
      message: /ElevenLabs reports system_busy \(1011\): busy/,
      retryable: true,
    },
    "a key that is refused late": {
      fault: { type: "malformed", text: '{"error":"invalid_api_key","code":1008}', afterMs: 40 },
      message: /invalid_api_key \(1008\); check ELEVENLABS_API_KEY/,
      retryable: false,
      refused: true,
    },
    "an end in the middle": {
      fault: { type: "malformed", text: '{"isFinal":true,"contextId":"context-1"}', afterMs: 40 },
      message: /before its text was complete/,
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

  it("fails when nothing is spoken, as with a quota that is used up", async () => {
    const { emulator, tts } = await start({ spent: true });
    await using _ = emulator;
    const { error } = await say(tts, "One.");
    assert(error instanceof StageError && !error.retryable);
    assertMatch(error.message, /without a sound.*quota/);
    await emulator.idle();
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
