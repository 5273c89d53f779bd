import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { judgePauses } from "../../src/end_of_turn/pauses.ts";
import type { AudioTurnDetector } from "../../src/turn/end_of_turn.ts";
import type { VoiceMark } from "../../src/vad/vad.ts";
import { microphoneFrame } from "../fakes/speech.ts";

type Answer = { readonly atMs: number; readonly probability: number };

/** A judge whose detector answers when told to; what it was asked (milliseconds of audio) and what it said. */
function judging({ windowMs = 2000 } = {}) {
  const asked: { ms: number; signal: AbortSignal; answer: PromiseWithResolvers<number> }[] = [];
  const answers: Answer[] = [];
  const errors: string[] = [];
  const end = new AbortController();
  const detector: AudioTurnDetector = {
    model: "fake",
    windowMs,
    silenceMs: 200,
    endOfTurn(samples, { signal }) {
      const answer = Promise.withResolvers<number>();
      asked.push({ ms: samples.length / 16, signal, answer });
      return answer.promise;
    },
  };
  const judge = judgePauses(detector, {
    onAnswer: (answer) => answers.push(answer),
    onError: (error) => errors.push(`${error.stage}: ${error.message}`),
    signal: end.signal,
  });
  let nowMs = 0;
  const hearUntil = (untilMs: number) => {
    for (; nowMs < untilMs; nowMs += 20) judge.hear(microphoneFrame(nowMs, false));
  };
  const mark = (type: "speech-start" | "speech-pause" | "speech-resume" | "speech-end", atMs: number) =>
    judge.mark({ type, atMs, voicedMs: atMs } as VoiceMark);
  return { judge, asked, answers, errors, hearUntil, mark, end };
}

const tick = () => new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));

describe("judgePauses()", () => {
  it("asks once enough of the silence was heard, and passes the answer on", async () => {
    const { asked, answers, hearUntil, mark } = judging();
    hearUntil(1000);
    mark("speech-start", 940);
    hearUntil(1500);
    mark("speech-pause", 1480);
    hearUntil(1680);
    assertEquals(asked.map(({ ms }) => ms), [1680 - 700]);
    asked[0]?.answer.resolve(0.9);
    await tick();
    assertEquals(answers, [{ atMs: 1480, probability: 0.9 }]);
  });

  it("gives no more than the detector's window", () => {
    const { asked, hearUntil, mark } = judging();
    mark("speech-start", 0);
    hearUntil(5000);
    mark("speech-pause", 5000);
    hearUntil(5300);
    assertEquals(asked.map(({ ms }) => ms), [2000]);
  });

  it("does not ask when the voice comes back before, and drops the answer when it comes back after", async () => {
    const { asked, answers, hearUntil, mark } = judging();
    mark("speech-start", 0);
    hearUntil(500);
    mark("speech-pause", 500);
    hearUntil(600);
    mark("speech-resume", 600);
    hearUntil(1000);
    assertEquals(asked.length, 0);
    mark("speech-pause", 1000);
    hearUntil(1300);
    assertEquals(asked.length, 1);
    mark("speech-resume", 1300);
    assert(asked[0]?.signal.aborted);
    asked[0]?.answer.resolve(1);
    await tick();
    assertEquals(answers, []);
  });

  it("begins anew after a turn was committed", () => {
    const { asked, judge, hearUntil, mark } = judging({ windowMs: 8000 });
    mark("speech-start", 0);
    hearUntil(1000);
    mark("speech-pause", 1000);
    mark("speech-end", 1000);
    hearUntil(2000);
    judge.turnEnded();
    hearUntil(5000);
    mark("speech-start", 5000);
    hearUntil(5500);
    mark("speech-pause", 5500);
    hearUntil(5700);
    assertEquals(asked.map(({ ms }) => ms), [1200, 300 + 700]);
  });

  it("goes on without a detector that keeps failing", async () => {
    const { asked, errors, hearUntil, mark } = judging();
    for (let pauseMs = 500; pauseMs <= 5000; pauseMs += 500) {
      mark("speech-resume", pauseMs - 100);
      mark("speech-pause", pauseMs);
      hearUntil(pauseMs + 300);
      asked.at(-1)?.answer.reject(new Error("the model failed"));
      await tick();
    }
    assertEquals(errors, Array(3).fill("turn: the model failed"));
  });

  it("asks no more and says nothing once the session has ended", async () => {
    const { asked, answers, errors, hearUntil, mark, end } = judging();
    mark("speech-start", 0);
    hearUntil(500);
    mark("speech-pause", 500);
    hearUntil(800);
    end.abort();
    asked[0]?.answer.reject(new Error("aborted"));
    await tick();
    assertEquals([answers.length, errors.length, asked[0]?.signal.aborted], [0, 0, true]);
  });
});
