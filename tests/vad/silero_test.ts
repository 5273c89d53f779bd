import { assert, assertEquals, assertRejects } from "@std/assert";
import { beforeAll, describe, it } from "@std/testing/bdd";
import type { AudioFrame } from "../../src/audio/frame.ts";
import { StageError } from "../../src/errors.ts";
import { batched, type SileroModel } from "../../src/vad/batch.ts";
import { loadSilero, sileroDetector } from "../../src/vad/silero.ts";
import type { VoiceEvent, VoiceMark } from "../../src/vad/vad.ts";
import {
  type Clip,
  CLIP_NAMES,
  framesOf,
  generate,
  joined,
  loadClip,
  loadSpeech,
  noise,
  quiet,
  voiceOf,
} from "../fixtures/speech.ts";

let model: SileroModel;
const clips = new Map<string, Clip>();
beforeAll(async () => {
  model = await loadSilero();
  for (const name of CLIP_NAMES) clips.set(name, await loadClip(name));
});
const clip = (name: string) => clips.get(name) as Clip;

const detect = (frames: readonly AudioFrame[], of: SileroModel = model): Promise<VoiceEvent[]> =>
  Array.fromAsync(ReadableStream.from(frames).pipeThrough(sileroDetector({ model: of }).detect()));

const marksIn = (events: readonly VoiceEvent[]): VoiceMark[] =>
  events.filter((event) => event.type !== "audio");

const marks = async (samples: Int16Array): Promise<VoiceMark[]> => marksIn(await detect(framesOf(samples)));

function assertNear(actual: number | undefined, expected: number, withinMs: number, what: string): void {
  assert(
    actual !== undefined && Math.abs(actual - expected) < withinMs,
    `${what} at ${actual} ms; expected ${expected} ± ${withinMs}`,
  );
}

/** What the model is asked about. */
const loud = (ms: number) => noise(ms, 1000);

describe("sileroDetector on recorded speech", () => {
  for (const name of CLIP_NAMES) {
    // The window grid falls differently on the voice each time.
    for (const offsetMs of [0, 9, 20, 27]) {
      it(`finds the voice of "${name}" after ${1000 + offsetMs} ms of quiet, to 100 ms`, async () => {
        const voice = voiceOf(clip(name));
        const leadMs = 1000 + offsetMs;
        const found = await marks(joined(quiet(leadMs), voice, quiet(600)));
        const [start, ...rest] = found;
        assertEquals(start?.type, "speech-start");
        // The prefix of 100 ms is taken off again: this is where the voice was found.
        assertNear((start?.atMs ?? NaN) + 100, leadMs, 100, "start");
        const [pause, end] = rest.slice(-2);
        assertEquals([pause?.type, end?.type], ["speech-pause", "speech-end"]);
        assertEquals(pause?.atMs, end?.atMs);
        assertNear(end?.atMs, leadMs + voice.length / 16, 100, "end");
        assertEquals(found.filter(({ type }) => type === "speech-start").length, 1);
      });
    }

    it(`finds "${name}" with the quiet of its own room; a fading voice ends up to 180 ms later`, async () => {
      const { samples, startMs, endMs } = clip(name);
      const found = await marks(joined(quiet(1000), samples, quiet(600)));
      assertNear((found[0]?.atMs ?? NaN) + 100, 1000 + startMs, 100, "start");
      assertNear(found.at(-1)?.atMs, 1000 + endMs, 180, "end");
    });
  }

  for (const [first, second] of [["one", "two"], ["four", "five"], ["five", "three"]] as const) {
    for (const pauseMs of [100, 300, 500]) {
      it(`${pauseMs} ms between "${first}" and "${second}"`, async () => {
        const before = voiceOf(clip(first));
        const after = voiceOf(clip(second));
        const found = await marks(joined(quiet(500), before, quiet(pauseMs), after, quiet(800)));
        const silentMs = 500 + before.length / 16;
        const type = pauseMs < 400 ? "speech-resume" : "speech-start";
        const again = found.findIndex((mark, i) => i > 0 && mark.type === type && mark.atMs > silentMs - 50);
        assertNear(found[again - 1]?.atMs, silentMs, 100, "pause");
        const prefixMs = type === "speech-start" ? 100 : 0;
        assertNear((found[again]?.atMs ?? NaN) + prefixMs, silentMs + pauseMs, 100, "voice again");
        assertEquals(found.filter((mark) => mark.type === "speech-end").length, pauseMs < 400 ? 1 : 2);
      });
    }
  }
});

describe("sileroDetector finds no speech in", () => {
  const sine = (hz: number, seconds: number) => Math.sin(2 * Math.PI * hz * seconds);
  const burst = noise(5000, 1);
  const table: [what: string, samples: Int16Array][] = [
    ["digital silence", new Int16Array(80000)],
    ["a quiet room", quiet(5000)],
    ["soft white noise", noise(5000, 0.02)],
    ["loud white noise", noise(5000, 0.9)],
    ["a tone", generate(5000, (s) => 0.3 * sine(440, s))],
    ["mains hum", generate(5000, (s) => 0.1 * sine(50, s))],
    ["a ringing telephone", generate(5000, (s) => (s % 3 < 1 ? 0.1 : 0) * (sine(440, s) + sine(480, s)))],
    ["keys of a keyboard", burst.map((sample, i) => sample * 0.3 * Math.exp(-(i % 3360) / 64))],
    [
      "plucked notes",
      generate(5000, (s) => {
        const hz = [220, 277.18, 329.63, 440][Math.floor(s * 2) % 4] ?? 0;
        return 0.2 * Math.exp(-4 * (s % 0.5)) * (sine(hz, s) + sine(2 * hz, s) / 2 + sine(3 * hz, s) / 4);
      }),
    ],
  ];
  for (const [what, samples] of table) {
    it(what, async () => assertEquals(await marks(samples), []));
  }
});

describe("sileroDetector", () => {
  it("passes every frame on, in order, each mark before the frame that told it", async () => {
    const frames = await loadSpeech("one", 5000);
    const events = await detect(frames);
    assertEquals(events.flatMap((event) => event.type === "audio" ? [event.frame] : []), frames);
    let speech = false;
    for (const event of events) {
      if (event.type === "audio") assertEquals(event.speech, speech);
      else speech = event.type !== "speech-end" && (speech || event.type === "speech-start");
    }
    const start = events.findIndex(({ type }) => type === "speech-start");
    const told = events[start + 1];
    assert(told?.type === "audio");
    // Voice from 5240 ms: two windows of 32 ms, and at most one more that the grid or the model loses.
    assertNear(told.frame.timestampMs + 20, 5240 + 64, 50, "the frame that told");
  });

  for (const frameMs of [1, 10, 32, 60, 500]) {
    it(`finds the same in frames of ${frameMs} ms`, async () => {
      const samples = joined(quiet(500), clip("two").samples, quiet(600));
      const [expected, actual] = await Promise.all(
        [20, frameMs].map(async (ms) => marksIn(await detect(framesOf(samples, { frameMs: ms })))),
      );
      assertEquals(actual, expected);
    });
  }

  it("lets frames through that fill no window", async () => {
    const { readable, writable } = sileroDetector({ model: { open: neverAnswers } }).detect();
    const writer = writable.getWriter();
    const reader = readable.getReader();
    const [frame] = framesOf(loud(20));
    assert(frame);
    const written = writer.write(frame);
    assertEquals((await reader.read()).value, { type: "audio", frame, speech: false });
    await written;
    await reader.cancel();
  });

  it("finds the same for streams together as for each alone, in far fewer runs", async () => {
    let runs = 0;
    const counted = batched(async (batch) => {
      runs++;
      const probabilities = new Float32Array(batch.count);
      // Loud is voice: enough of a model to tell one stream's windows from another's.
      for (let i = 0; i < batch.count; i++) {
        const energy = batch.input.subarray(i * 576 + 64, (i + 1) * 576).reduce((sum, x) => sum + x * x, 0);
        probabilities[i] = energy > 1 ? 1 : 0;
      }
      await Promise.resolve();
      return { probabilities, state: batch.state };
    });
    const sources = await Promise.all(CLIP_NAMES.map((name) => loadSpeech(name)));
    const alone: VoiceMark[][] = [];
    for (const frames of sources) alone.push(marksIn(await detect(frames, counted)));
    const aloneRuns = runs;
    runs = 0;
    const together = await Promise.all(sources.map((frames) => detect(frames, counted)));
    assertEquals(together.map(marksIn), alone);
    const longest = Math.max(...sources.map((frames) => Math.floor(frames.length * 320 / 512)));
    assert(runs <= longest + 2, `${runs} runs for ${aloneRuns} windows, at most ${longest} a stream`);
  });

  it("finds the same in a batch of the real model as alone", async () => {
    const sources = await Promise.all(CLIP_NAMES.map((name) => loadSpeech(name)));
    const alone: VoiceMark[][] = [];
    for (const frames of sources) alone.push(marksIn(await detect(frames)));
    assertEquals((await Promise.all(sources.map((frames) => detect(frames)))).map(marksIn), alone);
  });

  it("goes on with the others when one is cancelled or aborted in mid-batch", async () => {
    const frames = await loadSpeech("one");
    const abort = new AbortController();
    const cancelled = ReadableStream.from(frames).pipeThrough(sileroDetector({ model }).detect()).getReader();
    const aborted = ReadableStream.from(frames)
      .pipeThrough(sileroDetector({ model }).detect({ signal: abort.signal })).getReader();
    const whole = detect(frames);
    await Promise.all([cancelled.read(), aborted.read()]);
    const reading = aborted.read();
    abort.abort(new Error("hung up"));
    await Promise.all([cancelled.cancel(), assertRejects(() => reading, /hung up/)]);
    assertEquals(marksIn(await whole), marksIn(await detect(frames)));
  });

  it("ends with the signal's reason when no frame comes any more", async () => {
    const abort = new AbortController();
    const { readable } = sileroDetector({ model }).detect({ signal: abort.signal });
    const reading = readable.getReader().read();
    abort.abort(new Error("hung up"));
    await assertRejects(() => reading, /hung up/);
  });

  it("starts afresh after a gap", async () => {
    let resets = 0;
    const [first, second] = [framesOf(loud(100)), framesOf(loud(100), { startMs: 301 })];
    const watched: SileroModel = {
      open: () => ({ probability: () => Promise.resolve(0), reset: () => void resets++, skip: () => {} }),
    };
    await detect([...first, ...framesOf(loud(100), { startMs: 300 })], watched);
    assertEquals(resets, 0);
    await detect([...first, ...second], watched);
    assertEquals(resets, 1);
  });

  it("does not join what stands before a gap to what stands after it", async () => {
    let windows = 0;
    const voiced: SileroModel = {
      open: () => ({ probability: () => Promise.resolve(++windows && 1), reset: () => {}, skip: () => {} }),
    };
    // One window and a quarter of the next; after the gap, three quarters of a window, then its last.
    const before = [...framesOf(loud(40)), ...framesOf(loud(24), { startMs: 1000, frameMs: 24 })];
    await detect(before, voiced);
    assertEquals(windows, 1);
    assertEquals(marksIn(await detect([...before, ...framesOf(loud(8), { startMs: 1024 })], voiced)), []);
    assertEquals(windows, 3);
  });

  it("takes a reader that is gone in the middle of a window for no failure", async () => {
    const answer = Promise.withResolvers<number>();
    const slow: SileroModel = {
      open: () => ({ probability: () => answer.promise, reset: () => {}, skip: () => {} }),
    };
    const { readable, writable } = sileroDetector({ model: slow }).detect();
    const reader = readable.getReader();
    const reading = reader.read();
    const [frame] = framesOf(loud(40), { frameMs: 40 });
    assert(frame);
    const writing = writable.getWriter().write(frame);
    await new Promise((resolve) => setImmediate(resolve)); // the window waits for its answer
    await reader.cancel();
    answer.resolve(1);
    await writing;
    assertEquals((await reading).done, true);
  });

  it("asks the model nothing in silence, but for the end of speech", async () => {
    const asked: number[] = [];
    const counting: SileroModel = {
      open() {
        const stream = model.open();
        let windows = 0;
        return {
          ...stream,
          skip: (window) => stream.skip((windows++, window)),
          probability: (window) => stream.probability((asked.push(windows++), window)),
        };
      },
    };
    await detect(framesOf(joined(quiet(960), voiceOf(clip("one")), quiet(2000))), counting);
    const [first = NaN, last = NaN] = [asked[0], asked.at(-1)];
    assertNear(first * 32, 960, 33, "first asked");
    assertNear((last + 1) * 32, 960 + voiceOf(clip("one")).length / 16 + 400, 70, "last asked");
  });

  it("ends the speech that a gap interrupted", async () => {
    const voice = framesOf(voiceOf(clip("one")), { startMs: 0 });
    const found = marksIn(await detect([...voice, ...framesOf(quiet(200), { startMs: 9000 })]));
    assertEquals(found.slice(-2).map(({ type }) => type), ["speech-pause", "speech-end"]);
    assertNear(found.at(-1)?.atMs, 1760, 100, "end");
  });

  it("names a failure of the model with its stage", async () => {
    const failing = batched(() => Promise.reject(new Error("out of memory")));
    const error = await detect(framesOf(loud(100)), failing).then(() => undefined, (e) => e);
    assert(error instanceof StageError);
    assertEquals([error.stage, error.message], ["vad", "out of memory"]);
  });

  it("refuses audio of another format", async () => {
    const [frame] = framesOf(quiet(20));
    assert(frame);
    await assertRejects(
      () => detect([{ ...frame, sampleRate: 48000 }]),
      /got 48000 Hz in 1 channels; expected 16000/,
    );
  });
});

const neverAnswers = () => ({
  probability: () => new Promise<number>(() => {}),
  reset: () => {},
  skip: () => {},
});
