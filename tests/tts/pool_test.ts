import { AsyncLocalStorage } from "node:async_hooks";
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createModels } from "../../src/models.ts";
import { cartesiaTextToSpeech } from "../../src/tts/cartesia.ts";
import { createConnection } from "../../src/tts/connection.ts";
import { elevenlabsTextToSpeech } from "../../src/tts/elevenlabs.ts";
import { createVoicePool } from "../../src/tts/pool.ts";
import { startCartesiaEmulator } from "../emulators/cartesia.ts";
import { startElevenLabsEmulator } from "../emulators/elevenlabs.ts";
import type { Fault } from "../emulators/socket_server.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { reply, say } from "../fakes/spoken.ts";

const apiKey = "test-key";
const msPerWord = 40;
const emulated = { firstAudioMs: 0, speed: 50, msPerWord, chunkMs: 30 };
/** The sound of a text is its length, as every sample. */
const sound = (text: string, count: number) => new Int16Array(count).fill(text.trim().length);
const soundOf = (value: number, words: number) => Array<number>(words * msPerWord * 24).fill(value);

type Options = { readonly fault?: (path: string, n: number) => Fault | undefined; readonly speed?: number };
const protocols = {
  Cartesia: { start: startCartesiaEmulator, voice: cartesiaTextToSpeech },
  ElevenLabs: { start: startElevenLabsEmulator, voice: elevenlabsTextToSpeech },
} as const;

/** An emulator of `name`, and sessions that share a pool. */
async function start(name: keyof typeof protocols, options: Options = {}) {
  const protocol = protocols[name];
  const emulator = await protocol.start({ ...emulated, sound, ...options });
  const clock = fakeClock();
  const log = fakeLog();
  const pool = createVoicePool({ clock });
  /** A session with a voice of its own, as each has. */
  const session = (given: { readonly speed?: number } = {}) => {
    const over = new AbortController();
    const tts = protocol.voice({ apiKey, baseUrl: emulator.url, pool, clock, log, ...given });
    return { voice: tts.connect?.(over) ?? tts, end: () => over.abort() };
  };
  return { emulator, clock, log, pool, session };
}

/** Lets the sockets work until `is` holds. */
async function settled(clock: FakeClock, is: () => boolean) {
  for (let i = 0; !is(); i++) {
    assert(i < 10_000, `waited in vain for ${is}`);
    await clock.settle();
  }
}

for (const name of Object.keys(protocols) as (keyof typeof protocols)[]) {
  describe(`a connection to ${name} that a session has left`, () => {
    it("is open for the next one, in which nothing of the first is heard", async () => {
      const { emulator, clock, pool, session } = await start(name);
      await using _ = emulator;
      for (const text of ["One.", "Three.", "Eleven."]) {
        const { voice, end } = session();
        const { samples, error } = await say(voice, text);
        assertEquals([samples, error], [soundOf(text.length, 1), undefined]);
        end();
      }
      assertEquals(emulator.connections.length, 1);
      const ids = emulator.connections[0]!.messages.map(({ context_id: id }) => id);
      assert(new Set(ids).size >= 3, "each reply has a context of its own");
      pool[Symbol.dispose]();
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });

    it("is had by one session at a time, and by those alone that speak in the same way", async () => {
      const { emulator, pool, session } = await start(name);
      await using _ = emulator;
      const first = session();
      await say(first.voice, "One.");
      const second = session();
      await say(second.voice, "One.");
      assertEquals(emulator.connections.length, 2);
      first.end();
      await say(session({ speed: 1.1 }).voice, "One.");
      assertEquals(emulator.connections.length, 3);
      await say(session().voice, "One.");
      assertEquals(emulator.connections.length, 3);
      pool[Symbol.dispose]();
    });

    it("is closed when two are kept already, after 150 s, and with the pool", async () => {
      const { emulator, clock, pool, session } = await start(name);
      await using _ = emulator;
      const sessions = [session(), session(), session()];
      for (const { voice } of sessions) await say(voice, "One.");
      for (const { end } of sessions) end();
      await settled(clock, () => emulator.open === 2);
      await clock.advance(150_000);
      await emulator.idle();
      assertEquals(clock.pending, 0);
      const { voice, end } = session();
      await say(voice, "One.");
      end();
      const lent = session();
      await say(lent.voice, "One.");
      assertEquals(emulator.connections.length, 4);
      pool[Symbol.dispose]();
      assertEquals(emulator.open, 1);
      lent.end();
      await emulator.idle();
      assertEquals(emulator.connections.map(({ closed }) => closed), [1000, 1000, 1000, 1000]);
      assertEquals(clock.pending, 0);
    });

    it("is another one when it died meanwhile", async () => {
      const { emulator, clock, log, pool, session } = await start(name);
      await using _ = emulator;
      const first = session();
      await say(first.voice, "One.");
      first.end();
      emulator.drop();
      await settled(clock, () => log.lines.length === 1); // it is known
      const second = session();
      await settled(clock, () => emulator.connections.length === 2 && emulator.open === 1);
      const { samples, error } = await say(second.voice, "Three.");
      assertEquals([samples, error], [soundOf(6, 1), undefined]);
      assertEquals(emulator.connections.length, 2);
      second.end();
      pool[Symbol.dispose]();
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });

    it("is not spoken on any more by the session that has left it", async () => {
      const { emulator, clock, pool, session } = await start(name);
      await using _ = emulator;
      const { voice, end } = session();
      await say(voice, "One.");
      const waiting = reply(voice);
      end();
      waiting.text.push({ text: "Too late." });
      assertEquals([(await waiting.done).samples, (await say(voice, "And this.")).samples], [[], []]);
      for (let n = 0; n < 100; n++) await clock.settle();
      assert(!/late|this/.test(JSON.stringify(emulator.connections[0]!.messages)));
      assertEquals([emulator.connections.length, emulator.open], [1, 1]);
      pool[Symbol.dispose]();
      await emulator.idle();
    });

    it("is not kept while a reply is being spoken on it", async () => {
      const { emulator, clock, session } = await start(name, { speed: 5 });
      await using _ = emulator;
      const { voice, end } = session();
      const cut = reply(voice, "A very long sentence that is cut off while it is spoken, and then some. ");
      await cut.firstAudio;
      end();
      cut.abort.abort();
      await cut.done;
      await emulator.idle();
      assertEquals(clock.pending, 0);
    });

    it("is not kept when something has failed on it", async () => {
      const error = name === "Cartesia"
        ? { type: "error", done: true, context_id: "context-1", status_code: 500, title: "oops" }
        : { error: "system_busy", message: "busy", contextId: "context-1" };
      const fault: Fault = { type: "malformed", text: JSON.stringify(error), afterMs: 40 };
      const { emulator, session } = await start(name, { fault: () => fault });
      await using _ = emulator;
      const { voice, end } = session();
      assert((await say(voice, "One two three. ")).error);
      end();
      await emulator.idle();
    });
  });
}

describe("a connection that a session has left after an interruption", () => {
  it("is kept when the server has ended what was cut off", async () => {
    const { emulator, pool, session } = await start("ElevenLabs");
    await using _ = emulator;
    const { voice, end } = session();
    const cut = reply(voice, "It is cut off. ");
    await cut.firstAudio;
    cut.abort.abort();
    await cut.done;
    await say(voice, "This is so much longer that the first has surely ended by then."); // a word takes as long in both
    end();
    assertEquals((await say(session().voice, "Three.")).samples, soundOf(6, 1));
    assertEquals(emulator.connections.length, 1);
    pool[Symbol.dispose]();
  });

  it("is closed when it has not", async () => {
    const { emulator, clock, session } = await start("Cartesia");
    await using _ = emulator;
    const { voice, end } = session();
    const cut = reply(voice, "A very long sentence that is cut off while it is spoken. ");
    await cut.firstAudio;
    cut.abort.abort();
    await cut.done;
    await say(voice, "Next.");
    end();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });
});

describe("voices by the same model string", () => {
  it("share what is kept", async () => {
    const { emulator, clock, log, pool: voicePool } = await start("Cartesia");
    await using _ = emulator;
    const models = createModels({ cartesia: { apiKey, baseUrl: emulator.url }, voicePool, clock, log });
    for (const text of ["One.", "Three."]) {
      const over = new AbortController();
      const tts = models.tts("cartesia/sonic-3");
      assertEquals((await say(tts.connect?.(over) ?? tts, text)).samples, soundOf(text.length, 1));
      over.abort();
    }
    assertEquals(emulator.connections.length, 1);
    voicePool[Symbol.dispose]();
    await emulator.idle();
    assertEquals(clock.pending, 0);
  });
});

describe("a connection that seems to be open", () => {
  it("is replaced within a second when nothing answers on it, and else is kept", async () => {
    const deaf: Fault = { type: "slow-reader", ms: 1e9, afterMs: msPerWord };
    const { emulator, clock, log, pool, session } = await start("Cartesia", {
      fault: (_, n) => n === 0 ? deaf : undefined,
    });
    await using _ = emulator;
    const first = session();
    await say(first.voice, "One.");
    await clock.advance(10_000);
    first.end();
    for (let n = 0; n < 2; n++) {
      const { voice, end } = session();
      await settled(clock, () => clock.pending === (n === 0 ? 1 : 0));
      await clock.advance(1_000);
      await settled(clock, () => emulator.connections.length === 2);
      const { samples, error } = await say(voice, "Three.");
      assertEquals([samples, error], [soundOf(6, 1), undefined]);
      end();
    }
    assertEquals(emulator.connections.length, 2);
    assertEquals(log.lines.map(({ message }) => message), ["an idle connection was lost"]);
    pool[Symbol.dispose]();
    await settled(clock, () => clock.pending === 0);
  });

  it("tells what comes in the async context of whoever has it", async () => {
    await using emulator = await startCartesiaEmulator();
    const owner = new AsyncLocalStorage<string>();
    const told: (string | undefined)[] = [];
    const connection = owner.run("first", () =>
      createConnection({
        provider: "Cartesia",
        url: `${emulator.url}/tts/websocket`,
        headers: { "X-API-Key": apiKey, "Cartesia-Version": "2026-03-01" },
        clock: fakeClock(),
        log: undefined,
        onMessage: () => told.push(owner.getStore()),
        onEnd: () => told.push(owner.getStore()),
      }));
    await owner.run("first", connection.open);
    const answered = async (count: number) => {
      connection.send({ oops: true });
      while (told.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await answered(1);
    owner.run("second", connection.adopt);
    await answered(2);
    assertEquals(told, ["first", "second"]);
    connection.close();
    await emulator.idle();
  });
});
