import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { type LocalRequest, localSpeechToText, progressLine } from "../../src/stt/local.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import type { WorkerHold } from "../../src/worker.ts";
import { fakeClock } from "../fakes/clock.ts";

/** A thread that answers as it is told, and counts who holds it. */
function fakeThread(answer: (request: LocalRequest) => string | Error) {
  const asked: LocalRequest[] = [];
  const thread = { asked, holders: 0 };
  const hold = (): WorkerHold<LocalRequest, string> => {
    thread.holders++;
    return {
      ask(request) {
        asked.push(request);
        const answered = answer(request);
        return answered instanceof Error ? Promise.reject(answered) : Promise.resolve(answered);
      },
      [Symbol.dispose]: () => void thread.holders--,
    };
  };
  return { thread, hold };
}

/** Half a second of a voice. */
function* voice(): Generator<VoiceEvent> {
  yield { type: "speech-start", atMs: 0, voicedMs: 0 };
  for (let timestampMs = 0; timestampMs < 500; timestampMs += 20) {
    const frame = {
      samples: new Int16Array(320).fill(-16_384),
      sampleRate: 16_000,
      channels: 1,
      timestampMs,
    };
    yield { type: "audio", frame, speech: true };
  }
  yield { type: "speech-pause", atMs: 480 };
}

describe("localSpeechToText()", () => {
  const clock = fakeClock();
  const signal = new AbortController().signal;

  it("loads the model at once and transcribes speech with it", async () => {
    const { thread, hold } = fakeThread(({ samples }) => samples ? " Hello." : "");
    const stt = localSpeechToText({ model: "org/whisper", language: "de-AT", clock, hold });
    assertEquals([stt.provider, stt.model], ["local", "org/whisper"]);
    const sentMs: number[] = [];
    const onSent = (audioMs: number) => void sentMs.push(audioMs);
    const events = await Array.fromAsync(stt.transcribe(ReadableStream.from(voice()), { signal, onSent }));
    assertEquals(events.at(-1), { type: "final", text: "Hello." });
    const [load, recording] = thread.asked;
    assertEquals(load, { model: "org/whisper", language: "de-AT" });
    assertEquals([recording?.samples?.length, recording?.samples?.[0]], [8_000, -0.5]);
    assertEquals([stt.countsSent, sentMs], [true, [500]]);
    assertEquals([thread.holders, clock.pending], [0, 0]);
  });

  it("fails when the model cannot be loaded", async () => {
    const { thread, hold } = fakeThread(() => new StageError("stt", "no such model"));
    const stt = localSpeechToText({ model: "org/nothing", clock, hold });
    const silence = new ReadableStream<VoiceEvent>();
    const error = await Array.fromAsync(stt.transcribe(silence, { signal })).catch((error: unknown) => error);
    assert(error instanceof StageError, String(error));
    assertEquals([error.message, thread.holders], ["no such model", 0]);
  });

  it("lets go of the thread when it is aborted", async () => {
    const { thread, hold } = fakeThread(() => "");
    const abort = new AbortController();
    const stt = localSpeechToText({ model: "org/whisper", clock, hold });
    const result = Array.fromAsync(stt.transcribe(new ReadableStream(), { signal: abort.signal }))
      .catch((error: unknown) => error);
    await clock.settle();
    assertEquals(thread.holders, 1);
    const reason = new Error("over");
    abort.abort(reason);
    assertEquals([await result, thread.holders], [reason, 0]);
  });
});

describe("progressLine()", () => {
  const lines: [loaded: number, total: number, line: string][] = [
    [0, 0, "\rm ░░░░░░░░░░░░░░░░░░░░░░░░   0 % of 0 MB"],
    [20e6, 80e6, "\rm ██████░░░░░░░░░░░░░░░░░░  25 % of 80 MB"],
    [80e6, 80e6, "\rm ████████████████████████ 100 % of 80 MB\n"],
  ];
  for (const [loaded, total, line] of lines) {
    it(`shows ${loaded} of ${total} bytes`, () =>
      assertEquals(progressLine({ model: "m", loaded, total }), line));
  }
});
