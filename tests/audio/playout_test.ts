import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AudioFormat, type AudioFrame, samplesIn } from "../../src/audio/frame.ts";
import { type AudioDevice, createSpeaker } from "../../src/audio/playout.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";

const format: AudioFormat = { sampleRate: 24_000, channels: 1 };
const FADE_MS = 5;

interface FakeDevice extends AudioDevice {
  readonly pushes: Int16Array[];
  /** What was heard up to now. */
  played(): number[];
  readonly aheadMs: number;
}

/** Plays in the clock's time and remembers what left it. */
function fakeDevice(clock: FakeClock): FakeDevice {
  const heard: number[] = [];
  const pushes: Int16Array[] = [];
  let queue: number[] = [];
  let fromMs = clock.now();
  let aheadMs = 0;
  const playOn = () => {
    const due = Math.floor((clock.now() - fromMs) * 24 + 1e-6);
    heard.push(...queue.slice(0, due));
    queue = queue.slice(due);
    fromMs = clock.now();
  };
  return {
    format,
    pushes,
    push(samples) {
      playOn();
      pushes.push(samples);
      queue.push(...samples);
      aheadMs = Math.max(aheadMs, queue.length / 24);
    },
    clear() {
      playOn();
      queue = [];
    },
    get queuedMs() {
      playOn();
      return queue.length / 24;
    },
    get aheadMs() {
      return aheadMs;
    },
    played() {
      playOn();
      return heard;
    },
  };
}

/** `ms` of samples that count upwards from `from`, so that each position is known by its value. */
function ramp(ms: number, from = 1): Int16Array {
  return Int16Array.from({ length: samplesIn(ms, format) }, (_, at) => from + at);
}

/** The samples in frames of `frameMs`. */
function frames(samples: Int16Array, frameMs: number): AudioFrame[] {
  const size = samplesIn(frameMs, format);
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, at) => ({
    ...format,
    timestampMs: 0,
    samples: samples.slice(at * size, (at + 1) * size),
  }));
}

function setup() {
  const clock = fakeClock();
  const device = fakeDevice(clock);
  const abort = new AbortController();
  const speaker = createSpeaker(device, { clock });
  return { clock, device, abort, speaker, playout: speaker.open({ signal: abort.signal }) };
}

/** Whether `promise` has settled, once everything that needs no time has happened. */
async function settled(clock: FakeClock, promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true, () => done = true);
  await clock.settle();
  return done;
}

describe("speaker: playing", () => {
  for (const frameMs of [5, 20, 33, 100, 700]) {
    it(`plays every sample of a reply in ${frameMs} ms frames, at the pace of the device`, async () => {
      const { clock, device, playout, speaker } = setup();
      const input = ramp(1_000);
      const piped = ReadableStream.from(frames(input, frameMs)).pipeTo(playout.writable);
      await clock.advance(500);
      assertEquals(Math.round(playout.playedMs), 500);
      assertEquals(await settled(clock, playout.done), false);
      await clock.advance(501);
      await piped;
      assertEquals(device.played(), [...input]);
      assertEquals(await playout.done, { playedMs: 1_000, interrupted: false });
      assertEquals(await playout.started, 0);
      assertEquals(device.aheadMs <= 400, true);
      assertEquals([speaker.underruns, clock.pending], [0, 0]);
    });
  }

  it("sends a short piece first and long ones after", async () => {
    const { clock, device, playout } = setup();
    const piped = ReadableStream.from(frames(ramp(1_000), 10)).pipeTo(playout.writable);
    await clock.advance(1_001);
    await piped;
    const lengths = device.pushes.map((samples) => samples.length / 24);
    assert(lengths[0] !== undefined && lengths[0] <= 20);
    assertEquals(lengths.slice(-7, -1), Array(6).fill(100));
  });

  it("does not wait for data to fill a piece", async () => {
    const { clock, device, playout } = setup();
    const writer = playout.writable.getWriter();
    for (const frame of frames(ramp(100), 20)) {
      await writer.write(frame);
      assertEquals(device.pushes.at(-1)?.length, frame.samples.length);
      await clock.advance(20);
    }
    await Promise.all([writer.close(), clock.advance(1)]);
  });

  it("holds the writer back once the device is fed", async () => {
    const { clock, device, playout, abort } = setup();
    const writer = playout.writable.getWriter();
    let written = 0;
    for (const frame of frames(ramp(2_000), 20)) writer.write(frame).then(() => written++);
    await clock.settle();
    assert(written * 20 <= 500, `${written} frames were taken at once`);
    await clock.advance(1_000);
    assert(written * 20 >= 1_300 && written * 20 <= 1_500, `${written} frames were taken in 1 s`);
    assert(device.queuedMs >= 300);
    abort.abort();
    await writer.close();
  });

  it("counts the gaps inside a reply", async () => {
    const { clock, playout, speaker } = setup();
    const writer = playout.writable.getWriter();
    const [one, two] = frames(ramp(40), 20);
    await writer.write(one!);
    await clock.advance(50);
    await writer.write(two!);
    assertEquals(speaker.underruns, 1);
    await Promise.all([writer.close(), clock.advance(21)]);
  });

  it("is done at once when nothing was written, and never started", async () => {
    const { clock, playout } = setup();
    await playout.writable.close();
    assertEquals(await playout.done, { playedMs: 0, interrupted: false });
    assertEquals(await settled(clock, playout.started), false);
  });

  it("refuses audio of another format by name and ends the reply", async () => {
    const { playout } = setup();
    const writer = playout.writable.getWriter();
    writer.closed.catch(() => {}); // the write below reports the same error
    await assertRejects(
      () => writer.write({ samples: ramp(20), sampleRate: 16_000, channels: 1, timestampMs: 0 }),
      /got audio of 16000 Hz × 1; expected 24000 Hz × 1/,
    );
    assertEquals(await playout.done, { playedMs: 0, interrupted: true });
  });
});

describe("speaker: abort", () => {
  for (const atMs of [0, 1, 19, 20, 150, 333, 601, 999]) {
    it(`plays nothing more when aborted ${atMs} ms into a reply`, async () => {
      const { clock, device, playout, abort } = setup();
      const piped = ReadableStream.from(frames(ramp(1_000), 20)).pipeTo(playout.writable, {
        signal: abort.signal,
      });
      const piping = Promise.allSettled([piped]); // rejects, unless all was written before
      await clock.advance(atMs);
      abort.abort();
      const pushed = device.pushes.length;
      assertEquals(device.queuedMs, 0);
      await clock.settle();
      const { playedMs, interrupted } = await playout.done;
      assertEquals([Math.round(playedMs), interrupted], [atMs, true]);
      await piping;
      await clock.advance(2_000);
      assertEquals(device.played(), [...ramp(atMs)]);
      assertEquals([device.pushes.length, clock.pending, Math.round(playout.playedMs)], [pushed, 0, atMs]);
    });
  }

  for (const paused of [false, true]) {
    it(`takes and drops every write after an abort${paused ? " in a pause" : ""}`, async () => {
      const { clock, device, playout, abort } = setup();
      const writer = playout.writable.getWriter();
      const input = frames(ramp(2_000), 20);
      const writes = input.slice(0, 50).map((frame) => writer.write(frame));
      await clock.advance(100);
      if (paused) playout.pause();
      abort.abort();
      playout.resume();
      await Promise.all(writes);
      const pushed = device.pushes.length;
      for (const frame of input.slice(50)) await writer.write(frame);
      await writer.close();
      assertEquals([device.pushes.length, clock.pending, (await playout.done).interrupted], [
        pushed,
        0,
        true,
      ]);
    });
  }

  it("is over at once when it is opened after the abort", async () => {
    const { speaker, device } = setup();
    const playout = speaker.open({ signal: AbortSignal.abort() });
    assertEquals(await playout.done, { playedMs: 0, interrupted: true });
    await ReadableStream.from(frames(ramp(100), 20)).pipeTo(playout.writable);
    assertEquals(device.pushes.length, 0);
  });

  it("counts as cut off when the audio's source fails", async () => {
    const { clock, device, playout } = setup();
    const writer = playout.writable.getWriter();
    await writer.write(frames(ramp(100), 100)[0]!);
    await clock.advance(40);
    await writer.abort(new Error("the voice failed"));
    assertEquals([await playout.done, device.queuedMs], [{ playedMs: 40, interrupted: true }, 0]);
  });

  it("leaves a reply that was played out as it is, and no listener", async () => {
    const { clock, playout, abort } = setup();
    const piped = ReadableStream.from(frames(ramp(60), 20)).pipeTo(playout.writable);
    await clock.advance(61);
    await piped;
    abort.abort();
    assertEquals(await playout.done, { playedMs: 60, interrupted: false });
  });
});

/** The input with the fades that pauses at `pausesMs` (of what was played) put into it. */
function faded(input: Int16Array, pausesMs: number[]): number[] {
  const length = samplesIn(FADE_MS, format);
  const out = Int16Array.from(input);
  for (const pauseMs of pausesMs) {
    const out0 = samplesIn(pauseMs, format);
    for (let at = 0; at < length; at++) {
      out[out0 + at] = input[out0 + at]! * (1 - at / length);
      out[out0 + length + at] = input[out0 + length + at]! * at / length;
    }
  }
  return [...out];
}

describe("speaker: pause and resume", () => {
  for (const pauseMs of [1, 10, 50, 320, 777, 970]) {
    it(`goes on at the sample where it was paused, ${pauseMs} ms into the reply`, async () => {
      const { clock, device, playout, speaker } = setup();
      const input = ramp(1_000);
      const piped = ReadableStream.from(frames(input, 20)).pipeTo(playout.writable);
      await clock.advance(pauseMs);
      playout.pause();
      playout.pause();
      const heldMs = playout.playedMs;
      assertEquals(Math.round(heldMs), pauseMs + FADE_MS);
      await clock.advance(3_000);
      assertEquals(device.played().length, samplesIn(pauseMs + FADE_MS, format));
      assertEquals([playout.playedMs, clock.pending, await settled(clock, playout.done)], [heldMs, 0, false]);
      playout.resume();
      playout.resume();
      await clock.advance(1_001 - pauseMs);
      await piped;
      assertEquals(device.played(), faded(input, [pauseMs]));
      assertEquals([await playout.done, speaker.underruns], [{ playedMs: 1_000, interrupted: false }, 0]);
    });
  }

  it("loses no sample in many pauses", async () => {
    const { clock, device, playout } = setup();
    const input = ramp(1_000);
    const piped = ReadableStream.from(frames(input, 35)).pipeTo(playout.writable);
    const pauses: number[] = [];
    for (let at = 0; at < 8; at++) {
      await clock.advance(100);
      pauses.push(playout.playedMs);
      playout.pause();
      await clock.advance(40);
      playout.resume();
    }
    await clock.advance(1_000);
    await piped;
    assertEquals(device.played(), faded(input, pauses));
  });

  it("holds the writer back in a pause, however much was played", async () => {
    const { clock, playout, abort } = setup();
    const writer = playout.writable.getWriter();
    playout.pause();
    const writes = frames(ramp(60), 20).map((frame) => writer.write(frame));
    await clock.advance(1_000);
    assertEquals(await settled(clock, Promise.race(writes)), false);
    assertEquals(await settled(clock, playout.started), false);
    playout.resume();
    await Promise.all(writes);
    assertEquals(await playout.started, 1_000);
    abort.abort();
  });

  it("closes only after the resumption", async () => {
    const { clock, playout } = setup();
    const piped = ReadableStream.from(frames(ramp(100), 20)).pipeTo(playout.writable);
    await clock.advance(60);
    playout.pause();
    await clock.advance(5_000);
    assertEquals(await settled(clock, piped), false);
    playout.resume();
    await clock.advance(50);
    await piped;
    assertEquals(await playout.done, { playedMs: 100, interrupted: false });
  });
});
