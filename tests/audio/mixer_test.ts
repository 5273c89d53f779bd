import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createMixer, type Mixer } from "../../src/audio/mixer.ts";
import { type AudioDevice, createSpeaker, type DeviceSpeaker } from "../../src/audio/playout.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";

const format = { sampleRate: 24_000, channels: 1 };
const perMs = format.sampleRate / 1000;

/** A device that plays in real time into memory, one number a sample; what it has to play when it is empty is NaN. */
interface Recorder extends AudioDevice {
  /** Everything that was heard by now. */
  heard(): number[];
  pushes: number;
  clears: number;
}

function recorder(clock: FakeClock): Recorder {
  const heard: number[] = [];
  let queue: number[] = [];
  const play = () => {
    const now = Math.round(clock.now() * perMs);
    while (heard.length < now) heard.push(queue.shift() ?? NaN);
  };
  return {
    format,
    pushes: 0,
    clears: 0,
    push(samples) {
      play();
      this.pushes++;
      queue.push(...samples);
    },
    clear() {
      play();
      this.clears++;
      queue = [];
    },
    get queuedMs() {
      play();
      return queue.length / perMs;
    },
    heard() {
      play();
      return heard;
    },
  };
}

interface Scene {
  readonly clock: FakeClock;
  readonly device: Recorder;
  readonly mixer: Mixer;
  readonly speaker: DeviceSpeaker;
}

function scene(): Scene {
  const clock = fakeClock();
  const device = recorder(clock);
  const mixer = createMixer(device, { clock });
  return { clock, device, mixer, speaker: createSpeaker(mixer.voice, { clock }) };
}

/** Says `ms` of samples of `level`; the words of tests are constant, the sound behind them too. */
function say({ speaker }: Scene, ms: number, level: number, { pieceMs = ms } = {}) {
  const abort = new AbortController();
  const playout = speaker.open({ signal: abort.signal });
  const writer = playout.writable.getWriter();
  (async () => {
    for (let at = 0; at < ms; at += pieceMs) {
      const samples = new Int16Array(Math.min(pieceMs, ms - at) * perMs).fill(level);
      await writer.write({ ...format, samples, timestampMs: 0 });
    }
    await writer.close();
  })().catch(() => {});
  return { ...playout, playout, abort };
}

const constant = (level: number, ms = 1000) => new Int16Array(ms * perMs).fill(level);
/** A saw: each sample is its own number, so that one that is missing or said twice is seen. */
const saw = Int16Array.from({ length: 10_000 }, (_, i) => i);
const at = (heard: number[], ms: number) => heard[Math.round(ms * perMs)] ?? NaN;

describe("a mixer without layers", () => {
  it("hands on what it is given, and does nothing else", async () => {
    const s = scene();
    const { done } = say(s, 500, 1000);
    await s.clock.advance(600);
    assertEquals(await done, { playedMs: 500, interrupted: false });
    const alone = scene();
    const plain = { ...alone, speaker: createSpeaker(alone.device, { clock: alone.clock }) };
    say(plain, 500, 1000);
    await alone.clock.advance(600);
    assertEquals(s.device.heard(), alone.device.heard());
    assertEquals([s.device.pushes, s.device.clears], [alone.device.pushes, alone.device.clears]);
    assertEquals(s.clock.pending, 0);
  });
});

describe("a sound behind the voice", () => {
  it("goes round without a gap, from the moment it is started, fading in", async () => {
    const s = scene();
    await s.clock.advance(100);
    s.mixer.layer(saw, { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(3000);
    const heard = s.device.heard().slice(100 * perMs);
    heard.forEach((sample, i) => assert(i < 2 || sample === i % saw.length, `sample ${i} is ${sample}`));
    const faded = scene();
    faded.mixer.layer(constant(1000), { volume: 0.5, fadeMs: 200 }).start();
    await faded.clock.advance(500);
    assertEquals([0, 50, 100, 150, 200, 400].map((ms) => at(faded.device.heard(), ms)), [
      0,
      125,
      250,
      375,
      500,
      500,
    ]);
    s.mixer[Symbol.dispose]();
    faded.mixer[Symbol.dispose]();
    assertEquals([s.clock.pending, faded.clock.pending], [0, 0]);
    assertEquals(s.mixer.underruns, 0);
  });

  it("stops when it is told to, not when what is queued was played, and leaves no timer", async () => {
    const s = scene();
    const layer = s.mixer.layer(constant(1000), { volume: 1, fadeMs: 100 });
    layer.start();
    await s.clock.advance(1000);
    layer.stop();
    await s.clock.advance(1000);
    const heard = s.device.heard();
    assertEquals(at(heard, 999), 1000);
    assert(Math.abs(at(heard, 1050) - 500) < 5, `${at(heard, 1050)}`);
    assert(heard.slice(1101 * perMs).every((sample) => sample === 0 || Number.isNaN(sample)));
    assertEquals(s.clock.pending, 0);
  });

  it("is turned down under the voice, and comes back after it", async () => {
    const s = scene();
    s.mixer.layer(constant(1000), { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(1000);
    const { done } = say(s, 1000, 4000);
    await s.clock.advance(3000);
    assertEquals(await done, { playedMs: 1000, interrupted: false });
    const heard = s.device.heard();
    assertEquals([990, 1100, 1990].map((ms) => at(heard, ms)), [1000, 4250, 4250]);
    assert(at(heard, 1030) > 4300 && at(heard, 1030) < 5000, "down within 60 ms");
    assertEquals(at(heard, 2200), 250, "not at once between two words");
    assert(Math.abs(at(heard, 2500) - 625) < 5, `half way back: ${at(heard, 2500)}`);
    assertEquals(at(heard, 2800), 1000);
    assert(heard.slice(2).every((sample) => !Number.isNaN(sample)), "never a gap");
    assertEquals([s.mixer.underruns, s.speaker.underruns], [0, 0]);
    s.mixer[Symbol.dispose]();
  });

  it("keeps no word waiting behind what is queued of it", async () => {
    const s = scene();
    s.mixer.layer(constant(10), { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(1000);
    const { started } = say(s, 500, 4000);
    await s.clock.advance(100);
    assertEquals(await started, 1000);
    assert(at(s.device.heard(), 1000.5) > 3900);
    s.mixer[Symbol.dispose]();
  });

  it("goes on at its sample when the voice is cut off, which is silent at once", async () => {
    const s = scene();
    s.mixer.layer(saw, { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(1000);
    const { abort, done } = say(s, 2000, 10_000);
    await s.clock.advance(500);
    abort.abort();
    await s.clock.advance(1500);
    assertEquals(await done, { playedMs: 500, interrupted: true });
    const heard = s.device.heard();
    assert(at(heard, 1499) > 10_000);
    // Down to a quarter, then back: in either case the saw's own sample at that moment.
    for (let i = 1500 * perMs; i < 1790 * perMs; i++) {
      const expected = Math.round(i % saw.length / 4);
      assert(Math.abs((heard[i] ?? NaN) - expected) <= 1, `sample ${i} is ${heard[i]}; expected ${expected}`);
    }
    for (let i = 2300 * perMs; i < 2900 * perMs; i++) assertEquals(heard[i], i % saw.length);
    assertEquals(s.mixer.underruns, 0);
    s.mixer[Symbol.dispose]();
  });

  it("goes on while the voice is paused, which resumes at its sample", async () => {
    const [withSound, without] = [scene(), scene()];
    withSound.mixer.layer(constant(0), { volume: 1, fadeMs: 0 }).start();
    const results = [];
    for (const s of [withSound, without]) {
      await s.clock.advance(1000);
      const { playout, done } = say(s, 1000, 4000);
      await s.clock.advance(300);
      playout.pause();
      const pausedMs = playout.playedMs;
      await s.clock.advance(700);
      const stillMs = playout.playedMs;
      playout.resume();
      await s.clock.advance(2000);
      results.push({
        pausedMs,
        stillMs,
        end: await done,
        heard: s.device.heard().map((sample) => sample || 0),
      });
    }
    assertEquals(results[0], results[1], "as without a sound, to the sample");
    assertEquals(results[0]?.stillMs, results[0]?.pausedMs);
    withSound.mixer[Symbol.dispose]();
  });

  it("counts what was heard of the voice as without it, wherever it is cut", async () => {
    for (const cutMs of [5, 20, 130, 399, 401, 777, 990]) {
      const played = [];
      for (const sound of [true, false]) {
        const s = scene();
        if (sound) s.mixer.layer(constant(100), { volume: 1, fadeMs: 50 }).start();
        await s.clock.advance(777);
        const { abort, done } = say(s, 1000, 4000, { pieceMs: 50 });
        await s.clock.advance(cutMs);
        abort.abort();
        await s.clock.advance(50);
        played.push(await done);
        s.mixer[Symbol.dispose]();
        assertEquals(s.clock.pending, 0);
      }
      assertEquals(played[0], played[1], `cut after ${cutMs} ms`);
    }
  });

  it("has no gap when a voice's audio comes late, and says all of it, in order", async () => {
    const s = scene();
    s.mixer.layer(constant(1), { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(500);
    const playout = s.speaker.open({ signal: new AbortController().signal });
    const writer = playout.writable.getWriter();
    for (let piece = 1; piece <= 10; piece++) {
      writer.write({ ...format, samples: constant(piece * 1000, 100), timestampMs: 0 });
      await s.clock.advance(piece % 3 === 0 ? 170 : 95);
    }
    writer.close();
    await s.clock.advance(2000);
    const heard = s.device.heard();
    assert(heard.slice(2).every((sample) => !Number.isNaN(sample)), "never a gap");
    const said = heard.map((sample) => Math.floor(sample / 1000)).filter((level) => level > 0);
    assertEquals(said.length, 1000 * perMs, "nothing lost, nothing twice");
    assertEquals(said, said.toSorted((a, b) => a - b));
    assertEquals((await playout.done).playedMs, 1000);
    assertEquals(s.mixer.underruns, 0);
    s.mixer[Symbol.dispose]();
  });

  it("survives stalls of the event loop of 20 ms at any moment, with and without a voice", async () => {
    const s = scene();
    // Every timer comes up to 20 ms late, as after a stall.
    let seed = 1;
    const late = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % 21;
    const stalling: FakeClock = { ...s.clock, after: (ms, callback) => s.clock.after(ms + late(), callback) };
    const mixer = createMixer(s.device, { clock: stalling });
    const speaker = createSpeaker(mixer.voice, { clock: stalling });
    mixer.layer(constant(1), { volume: 1, fadeMs: 0 }).start();
    for (let i = 0; i < 20; i++) {
      await s.clock.advance(137 * i % 1000);
      const { done } = say({ ...s, mixer, speaker }, 300 + 61 * i, 1000, { pieceMs: 40 });
      await s.clock.advance(2500);
      assertEquals((await done).interrupted, false);
    }
    assert(s.device.heard().slice(2).every((sample) => !Number.isNaN(sample)), "never a gap");
    assertEquals([mixer.underruns, speaker.underruns], [0, 0]);
    mixer[Symbol.dispose]();
  });

  it("counts a stall that was longer than what is queued", async () => {
    const s = scene();
    const stalling: FakeClock = { ...s.clock, after: (ms, callback) => s.clock.after(ms + 500, callback) };
    const mixer = createMixer(s.device, { clock: stalling });
    mixer.layer(constant(1), { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(2000);
    assert(mixer.underruns > 0);
    mixer[Symbol.dispose]();
  });

  it("may be several, each with its own volume and fade; together they are not too loud", async () => {
    const s = scene();
    const [one, two] = [
      s.mixer.layer(constant(30_000), { volume: 1, fadeMs: 0 }),
      s.mixer.layer(constant(20_000), { volume: 0.5, fadeMs: 100 }),
    ];
    one.start();
    await s.clock.advance(500);
    two.start();
    await s.clock.advance(500);
    two.stop();
    one.stop();
    await s.clock.advance(500);
    const heard = s.device.heard();
    assertEquals([499, 510, 700].map((ms) => at(heard, ms)), [30_000, 31_000, 32_767]);
    assert(Math.abs(at(heard, 1050) - 5000) < 10);
    assertEquals(s.clock.pending, 0);
  });

  it("begins under a voice that is heard already", async () => {
    const s = scene();
    const { done } = say(s, 1000, 4000);
    await s.clock.advance(300);
    s.mixer.layer(constant(100), { volume: 1, fadeMs: 0 }).start();
    await s.clock.advance(2000);
    assertEquals(await done, { playedMs: 1000, interrupted: false });
    assertEquals([200, 950, 2200].map((ms) => at(s.device.heard(), ms)), [4000, 4025, 100]);
    s.mixer[Symbol.dispose]();
  });
});
