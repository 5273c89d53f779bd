import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { liveStream } from "../../src/audio/live.ts";
import { segmentedSpeechToText, type TranscribeSegment } from "../../src/stt/segments.ts";
import type { TranscriptEvent } from "../../src/stt/stt.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import { fakeClock } from "../fakes/clock.ts";

const frameMs = 20;

/** One transcription that was asked for. Its recording is told as the times (ms) of its first and last frame. */
interface Asked {
  readonly fromMs: number;
  readonly toMs: number;
  readonly aborted: boolean;
  answer(...texts: string[]): Promise<void>;
  /** Yields a text and goes on. */
  hint(text: string): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A recognizer whose transcriptions the test answers, and a voice that the test speaks with. */
function setUp() {
  const clock = fakeClock();
  const asked: Asked[] = [];
  const voice = liveStream<VoiceEvent>({ limit: Infinity });
  const abort = new AbortController();
  const heard: (TranscriptEvent | "end" | Error)[] = [];
  let nowMs = 0;

  const transcribe: TranscribeSegment = (samples, { signal }) => {
    const texts = liveStream<{ text: string }>({ limit: Infinity });
    asked.push({
      fromMs: samples[0]!,
      toMs: samples.at(-1)! + frameMs,
      get aborted() {
        return signal.aborted;
      },
      async answer(...given) {
        for (const text of given) texts.push({ text });
        texts.close();
        await clock.settle();
      },
      async hint(text) {
        texts.push({ text });
        await clock.settle();
      },
      async fail(error) {
        texts.error(error);
        await clock.settle();
      },
    });
    return (async function* () {
      for await (const { text } of texts.readable) yield text;
    })();
  };
  const stt = segmentedSpeechToText({
    provider: "test",
    model: "test",
    transcribe,
    patienceMs: 5_000,
    clock,
  });
  const transcripts = stt.transcribe(voice.readable, { signal: abort.signal });
  const done = (async () => {
    try {
      for await (const event of transcripts) heard.push(event);
      heard.push("end");
    } catch (error) {
      heard.push(error instanceof Error ? error : new Error(String(error)));
    }
  })();

  return {
    clock,
    asked,
    heard,
    abort,
    done,
    /** What was heard since the last call. */
    news: () =>
      heard.splice(0).map((event) =>
        event instanceof Error || event === "end" ? event : `${event.type} ${event.text}`
      ),
    /** Frames up to `toMs`; each sample is the time its frame begins. */
    async audio(toMs: number, speech: boolean) {
      for (; nowMs < toMs; nowMs += frameMs) {
        const frame = {
          samples: new Int16Array(320).fill(nowMs),
          sampleRate: 16_000,
          channels: 1,
          timestampMs: nowMs,
        };
        voice.push({ type: "audio", frame, speech });
        await clock.settle();
      }
    },
    async start(atMs: number) {
      voice.push({ type: "speech-start", atMs, voicedMs: atMs });
      await clock.settle();
    },
    async mark(type: "speech-pause" | "speech-resume" | "speech-end", atMs: number) {
      voice.push({ type, atMs });
      await clock.settle();
    },
    async end() {
      voice.close();
      await clock.settle();
    },
  };
}

type Scene = ReturnType<typeof setUp>;

/** Silence for 2 s, then a voice from 2 s to 3 s, known as one at 2.1 s; and that it paused, at 3.06 s. */
async function speakOnce({ audio, start, mark }: Scene) {
  await audio(2_100, false);
  await start(1_900);
  await audio(3_060, true);
  await mark("speech-pause", 3_000);
}

async function close(scene: Scene) {
  scene.abort.abort();
  await scene.done;
  await scene.clock.settle();
  assertEquals(scene.clock.pending, 0);
}

describe("segmentedSpeechToText()", () => {
  it("transcribes speech from its start as soon as it pauses, and tells the final at once", async () => {
    const scene = setUp();
    await speakOnce(scene);
    assertEquals(scene.asked.map(({ fromMs, toMs }) => [fromMs, toMs]), [[1_900, 3_060]]);
    await scene.asked[0]?.answer("Hello", "Hello there.");
    assertEquals(scene.news(), ["interim Hello", "interim Hello there.", "final Hello there."]);
    await scene.audio(3_400, true);
    await scene.mark("speech-end", 3_000);
    await scene.audio(6_000, false);
    assertEquals([scene.asked.length, scene.news()], [1, []]);
    await scene.end();
    assertEquals(scene.news(), ["end"]);
  });

  it("takes a transcript that comes after speech ended", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.audio(3_400, true);
    await scene.mark("speech-end", 3_000);
    await scene.asked[0]?.answer("Hello.");
    assertEquals(scene.news(), ["interim Hello.", "final Hello."]);
    await close(scene);
  });

  it("makes one utterance of speech that goes on before the transcript came", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.audio(3_200, true);
    await scene.mark("speech-resume", 3_200);
    await scene.audio(3_600, true);
    await scene.asked[0]?.answer("I would like");
    assertEquals(scene.news(), ["interim I would like", "interim I would like"]);
    await scene.audio(4_000, true);
    await scene.mark("speech-pause", 3_960);
    assertEquals(scene.asked.map(({ fromMs, toMs }) => [fromMs, toMs]), [[1_900, 3_060], [1_900, 4_000]]);
    await scene.asked[1]?.hint("I would");
    await scene.asked[1]?.answer("I'd like tea.");
    assertEquals(scene.news(), ["interim I'd like tea.", "final I'd like tea."]);
    await close(scene);
  });

  it("drops a transcription that a later one of the same speech replaces", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.mark("speech-resume", 3_100);
    await scene.audio(3_500, true);
    await scene.mark("speech-pause", 3_450);
    assertEquals(scene.asked.map(({ aborted }) => aborted), [true, false]);
    await scene.asked[0]?.answer("old");
    await scene.asked[1]?.answer("new");
    assertEquals(scene.news(), ["interim new", "final new"]);
    await close(scene);
  });

  it("begins another utterance when speech goes on after the final, and loses nothing between", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.audio(3_200, true);
    await scene.asked[0]?.answer("First.");
    await scene.audio(3_240, true);
    await scene.mark("speech-resume", 3_120);
    await scene.audio(3_800, true);
    await scene.mark("speech-pause", 3_750);
    assertEquals([scene.asked[1]?.fromMs, scene.asked[1]?.toMs], [3_060, 3_800]);
    await scene.asked[1]?.answer("Second.");
    assertEquals(scene.news().filter((event) => String(event).startsWith("final")), [
      "final First.",
      "final Second.",
    ]);
    await close(scene);
  });

  it("tells utterances in the order they were said, however their transcripts come", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.audio(3_400, true);
    await scene.mark("speech-end", 3_000);
    await scene.audio(4_000, false);
    await scene.start(3_900);
    await scene.audio(4_600, true);
    await scene.mark("speech-pause", 4_550);
    await scene.asked[1]?.answer("two");
    assertEquals(scene.news().filter((event) => event !== "interim "), []);
    await scene.asked[0]?.answer("one");
    assertEquals(scene.news(), ["interim one", "final one", "final two"]);
    await close(scene);
  });

  it("transcribes speech that does not pause every 1.5 s, and shows that it is alive", async () => {
    const scene = setUp();
    await scene.start(0);
    await scene.audio(1_500, true);
    assertEquals(scene.asked.map(({ toMs }) => toMs), [1_500]);
    await scene.asked[0]?.answer("so");
    await scene.audio(3_000, true);
    await scene.audio(4_500, true);
    assertEquals(scene.asked.map(({ toMs }) => toMs), [1_500, 3_000]);
    assertEquals(scene.news(), ["interim ", "interim so", "interim so", "interim so", "interim so"]);
    await close(scene);
  });

  it("cuts speech that lasts longer than 30 s", async () => {
    const scene = setUp();
    await scene.start(0);
    await scene.audio(30_000, true);
    const last = scene.asked.at(-1);
    assertEquals([last?.fromMs, last?.toMs], [0, 30_000]);
    await last?.answer("much");
    await scene.audio(30_500, true);
    await scene.end();
    assertEquals(scene.asked.at(-1)?.fromMs, 30_000);
    await scene.asked.at(-1)?.answer("more");
    assertEquals(scene.news().filter((event) => event === "end" || String(event).startsWith("final")), [
      "final much",
      "final more",
      "end",
    ]);
  });

  for (const text of ["", "  ", "[BLANK_AUDIO]", "(music)", "…"]) {
    it(`hears no words in ${JSON.stringify(text)}`, async () => {
      const scene = setUp();
      await speakOnce(scene);
      await scene.asked[0]?.answer(text);
      assertEquals(scene.news().at(-1), "interim ");
      await close(scene);
    });
  }

  it("transcribes what is left when the voice ends", async () => {
    const scene = setUp();
    await scene.start(0);
    await scene.audio(500, true);
    await scene.end();
    await scene.asked[0]?.answer("Bye.");
    assertEquals(scene.news(), ["interim Bye.", "final Bye.", "end"]);
    assertEquals(scene.clock.pending, 0);
  });

  it("hears speech whose start it was not told", async () => {
    const scene = setUp();
    await scene.audio(500, true);
    await scene.mark("speech-pause", 450);
    assertEquals([scene.asked[0]?.fromMs, scene.asked[0]?.toMs], [0, 500]);
    await close(scene);
  });

  it("fails as the transcription does, with the stage's name", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.asked[0]?.fail(new Error("refused"));
    const [error] = scene.news();
    assert(error instanceof Error && "stage" in error && error.stage === "stt");
    assertEquals([error.message, scene.clock.pending], ["refused", 0]);
  });

  it("fails when a transcription gets no further", async () => {
    const scene = setUp();
    await speakOnce(scene);
    await scene.clock.advance(4_000);
    await scene.asked[0]?.hint("Hel");
    await scene.clock.advance(4_999);
    assertEquals(scene.news(), ["interim Hel"]);
    await scene.clock.advance(1);
    const [error] = scene.news();
    assert(error instanceof Error && "retryable" in error && error.retryable === true);
    assertEquals([scene.asked[0]?.aborted, scene.clock.pending], [true, 0]);
  });

  it("stops at once when it is aborted", async () => {
    const scene = setUp();
    await speakOnce(scene);
    scene.abort.abort(new Error("over"));
    await scene.done;
    assertEquals([String(scene.news()), scene.asked[0]?.aborted], ["Error: over", true]);
    await scene.clock.settle();
    assertEquals(scene.clock.pending, 0);
  });
});
