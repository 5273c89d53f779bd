import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { liveStream } from "../../src/audio/live.ts";
import { StageError } from "../../src/errors.ts";
import { reconnecting } from "../../src/stt/reconnecting.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import { fakeClock } from "../fakes/clock.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

interface Call {
  readonly atMs: number;
  /** Everything it was sent. */
  readonly voice: SpeechInput[];
  tell(event: TranscriptEvent): void;
  fail(error: unknown): void;
  close(): void;
  /** Whether the voice it was given has ended, and whether it was told to stop. */
  ended: boolean;
  stopped: boolean;
}

const dropped = new StageError("stt", "dropped", { retryable: true });
const refused = new StageError("stt", "wrong key");
const interim = (text: string): TranscriptEvent => ({ type: "interim", text });
const final = (text: string, endMs?: number): TranscriptEvent => ({
  type: "final",
  text,
  ...(endMs !== undefined && { words: [{ text, startMs: endMs - 100, endMs }] }),
});

/** A recognizer whose connections are told what to say; `refusals`: how the first of them fail at once. */
function start(refusals: readonly StageError[] = []) {
  const clock = fakeClock();
  const calls: Call[] = [];
  const stt: SpeechToText = {
    provider: "fake",
    model: "fake",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe(voice, { signal }) {
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      const heard: SpeechInput[] = [];
      const call: Call = {
        atMs: clock.now(),
        voice: heard,
        tell: out.push,
        fail: out.error,
        close: out.close,
        ended: false,
        stopped: false,
      };
      signal.addEventListener("abort", () => call.stopped = true, { once: true });
      const refusal = refusals[calls.length];
      calls.push(call);
      if (refusal) out.error(refusal);
      voice.pipeTo(new WritableStream({ write: (event) => void heard.push(event) }), { signal })
        .then(() => call.ended = true, () => {});
      return out.readable;
    },
  };
  const voice = voiceFeed();
  const abort = new AbortController();
  const errors: string[] = [];
  const events: string[] = [];
  const words: unknown[] = [];
  /** When the words of the finals ended. */
  const untilMs: unknown[] = [];
  const transcripts = reconnecting(stt, { clock, onError: ({ message }) => void errors.push(message) })
    .transcribe(voice.stream, { signal: abort.signal });
  const done = (async () => {
    for await (const event of transcripts) {
      events.push(`${event.type} ${event.text}`);
      if (event.type !== "final") continue;
      words.push(...event.words ?? []);
      untilMs.push(event.untilMs);
    }
  })();
  const call = (n: number) => {
    const given = calls[n];
    assert(given, `there is no connection ${n}`);
    return given;
  };
  return { clock, calls, call, voice, abort, errors, events, words, untilMs, done };
}

/** Milliseconds of audio in `voice`. */
const audioMs = (voice: readonly SpeechInput[]) => voice.filter(({ type }) => type === "audio").length * 20;

describe("a recognizer that reconnects", () => {
  it("passes on what one connection says, and closes with the voice", async () => {
    const { clock, calls, call, voice, events, errors, done } = start();
    voice.utterance(500);
    await clock.settle();
    call(0).tell(interim("Hel"));
    call(0).tell(final("Hello."));
    voice.end();
    await clock.settle();
    assert(call(0).ended);
    call(0).tell(final("Bye."));
    call(0).close();
    await done;
    assertEquals(events, ["interim Hel", "final Hello.", "final Bye."]);
    assertEquals([calls.length, errors, clock.pending], [1, [], 0]);
  });

  it("sends the utterance again when the connection drops in it", async () => {
    const { clock, call, voice, events, errors, done, abort } = start();
    voice.mark("speech-start");
    voice.speech(600);
    await clock.settle();
    call(0).tell(interim("What is"));
    await clock.settle();
    call(0).fail(dropped);
    await clock.settle();
    voice.speech(400);
    await clock.settle();
    assertEquals(call(1).atMs, 0, "at once");
    assertEquals(audioMs(call(1).voice), 1000);
    assertEquals(call(1).voice[0]?.type, "speech-start");
    call(1).tell(final("What is it?", 900));
    await clock.settle();
    assertEquals(events, ["interim What is", "final What is it?"]);
    assertEquals(errors, ["dropped"]);
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("hands on a request for the final words, to the connection there is and to no other", async () => {
    const { clock, call, voice, done, abort } = start();
    voice.mark("speech-start");
    voice.speech(600);
    voice.finalize();
    await clock.settle();
    call(0).fail(dropped);
    await clock.settle();
    const requests = (n: number) => call(n).voice.filter(({ type }) => type === "finalize").length;
    assertEquals([requests(0), requests(1), audioMs(call(1).voice)], [1, 0, 600]);
    abort.abort();
    await done;
  });

  it("does not send again what had its final words, and goes on counting the time", async () => {
    const { clock, call, voice, words, untilMs, done, abort } = start();
    voice.utterance(1000); // and 260 ms of silence
    voice.mark("speech-start");
    voice.speech(300);
    await clock.settle();
    call(0).tell(final("One.", 1000));
    await clock.settle();
    call(0).fail(dropped);
    await clock.settle();
    assertEquals(audioMs(call(1).voice), 560, "from the end of the last word on");
    call(1).tell(final("Two.", 560));
    await clock.settle();
    assertEquals(words, [{ text: "One.", startMs: 900, endMs: 1000 }, {
      text: "Two.",
      startMs: 1460,
      endMs: 1560,
    }]);
    assertEquals(untilMs, [1000, 1560]);
    call(1).fail(dropped);
    await clock.advance(250);
    voice.silence(40);
    await clock.settle();
    assertEquals(audioMs(call(2).voice), 40);
    abort.abort();
    await done;
  });

  it("takes final words without times to speak for all that was sent", async () => {
    const { clock, call, voice, untilMs, done, abort } = start();
    voice.utterance(1000);
    await clock.settle();
    call(0).tell(final("One."));
    await clock.settle();
    call(0).fail(dropped);
    await clock.settle();
    assertEquals([audioMs(call(1).voice), untilMs], [0, [undefined]]);
    abort.abort();
    await done;
  });

  it("sends one second of silence again, and thirty of speech, no more", async () => {
    const { clock, call, voice, done, abort } = start();
    voice.silence(20_000);
    await clock.settle();
    call(0).fail(dropped);
    await clock.settle();
    assertEquals(audioMs(call(1).voice), 1000);
    voice.mark("speech-start");
    voice.speech(40_000);
    await clock.settle();
    call(1).fail(dropped);
    await clock.advance(250);
    assertEquals(audioMs(call(2).voice), 30_000);
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("waits longer and longer, and begins anew after a connection that held", async () => {
    const { clock, calls, call, errors, done, abort } = start(Array(8).fill(dropped));
    await clock.advance(20_000);
    assertEquals(calls.map(({ atMs }) => atMs), [0, 0, 250, 750, 1750, 3750, 7750, 12_750, 17_750]);
    assertEquals(errors.length, 8);
    await clock.advance(5_000);
    call(8).fail(dropped);
    await clock.settle();
    assertEquals(call(9).atMs, 25_000, "at once");
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("reports what will not pass, and tries again every 5 s", async () => {
    const { clock, calls, errors, done, abort } = start([refused, refused]);
    await clock.advance(10_000);
    assertEquals(calls.map(({ atMs }) => atMs), [0, 5_000, 10_000]);
    assertEquals(errors, ["wrong key", "wrong key"]);
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("replaces a connection that says nothing to three seconds of speech", async () => {
    const { clock, calls, call, voice, errors, done, abort } = start();
    voice.mark("speech-start");
    for (let ms = 0; ms < 3_000; ms += 100) {
      assertEquals(errors, []);
      voice.speech(100);
      await clock.advance(100);
    }
    assertEquals(errors, ["the recognizer has said nothing for 3.0 s although there is speech"]);
    assertEquals([calls.length, call(0).stopped], [2, true]);
    assert(audioMs(call(1).voice) >= 2_900);
    call(0).tell(final("Too late."));
    call(1).tell(interim(""));
    await clock.settle();
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("gives one that was sent all of it again two seconds to answer", async () => {
    const { clock, calls, voice, errors, done, abort } = start();
    voice.mark("speech-start");
    for (let ms = 0; ms < 3_000; ms += 100) {
      voice.speech(100);
      await clock.advance(100);
    }
    voice.mark("speech-end");
    await clock.advance(1_900);
    assertEquals(calls.length, 2);
    await clock.advance(100);
    assertEquals(errors.at(-1), "the recognizer has said nothing for 2.0 s although there is speech");
    abort.abort();
    await done;
  });

  it("leaves one alone that is quiet in silence, or answers without words", async () => {
    const { clock, calls, call, voice, done, abort } = start();
    await clock.settle();
    for (let ms = 0; ms < 60_000; ms += 1_000) {
      voice.silence(1_000);
      await clock.advance(1_000);
    }
    voice.mark("speech-start");
    for (let ms = 0; ms < 10_000; ms += 1_000) {
      voice.speech(1_000);
      call(0).tell(interim(""));
      await clock.advance(1_000);
    }
    assertEquals(calls.length, 1);
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
  });

  it("takes a recognizer that ends before the voice does for a failure", async () => {
    const { clock, calls, call, errors, done, abort } = start();
    await clock.settle();
    call(0).close();
    await clock.settle();
    assertEquals(errors, ["the recognizer ended before the voice did"]);
    assertEquals(calls.length, 2);
    abort.abort();
    await done;
  });

  it("ends while it waits to connect again, when aborted and when the voice ends", async () => {
    for (const how of ["abort", "end"] as const) {
      const { clock, calls, voice, abort, events, done } = start([refused]);
      await clock.settle();
      assertEquals(clock.pending, 1);
      if (how === "abort") abort.abort();
      else voice.end();
      await done;
      assertEquals([calls.length, events, clock.pending], [1, [], 0]);
      assertEquals(voice.cancelled, how === "abort");
    }
  });

  it("ends although the recognizer does not", async () => {
    const { clock, voice, abort, done } = start();
    voice.utterance(500);
    await clock.settle();
    abort.abort();
    await done;
    assertEquals(clock.pending, 0);
    assert(voice.cancelled);
  });

  it("fails when the voice does", async () => {
    const lost = new StageError("vad", "the model failed");
    const stt: SpeechToText = {
      provider: "fake",
      model: "fake",
      input: { sampleRate: 16_000, channels: 1 },
      transcribe: () => new ReadableStream(),
    };
    const voice = new ReadableStream<VoiceEvent>({ start: (controller) => controller.error(lost) });
    const { signal } = new AbortController();
    const reader = reconnecting(stt, { clock: fakeClock() }).transcribe(voice, { signal }).getReader();
    assertEquals(await reader.read().catch((error) => error), lost);
  });
});
