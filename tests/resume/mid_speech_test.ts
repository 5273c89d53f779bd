/** Sessions that change hands in the middle of the user's turn: another hears them go on. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AudioFrame, durationMs } from "../../src/audio/frame.ts";
import { liveStream } from "../../src/audio/live.ts";
import type { Clock } from "../../src/clock.ts";
import type { SpeechToText, TranscriptEvent, TranscriptWord } from "../../src/stt/stt.ts";
import { voiceIn } from "../../src/testing/speech.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { frameMs, microphoneFrame } from "../fakes/speech.ts";
import { type Life, live } from "./life.ts";

const msPerWord = 200;
/** The numbers of words, as they are said without a pause. */
const words = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `w${from + i}`);

/**
 * Hears what is in the sound: the voice of each frame is the number of a word. A final for every three of them, or after a
 * pause; less than half of a word is none.
 */
function listener(clock: Clock): SpeechToText {
  return {
    provider: "test",
    model: "test",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe(voice) {
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      let atMs = 0;
      let silentMs = 0;
      let heard: (TranscriptWord & { readonly voice: number })[] = [];
      const later = (event: TranscriptEvent) => clock.after(60, () => out.push(event));
      const whole = () => heard.filter(({ startMs, endMs }) => endMs - startMs >= msPerWord / 2);
      const finish = () => {
        const text = whole().map(({ text }) => text).join(" ");
        if (text !== "") later({ type: "final", text, words: whole() });
        heard = [];
      };
      const hear = (frame: AudioFrame) => {
        const startMs = atMs;
        atMs += durationMs(frame);
        const number = voiceIn(frame);
        silentMs = number === undefined ? silentMs + durationMs(frame) : 0;
        if (silentMs >= 100) finish();
        if (number === undefined) return;
        const last = heard.at(-1);
        const isSame = last?.voice === number;
        if (!isSame && whole().length === 3) finish();
        if (isSame) heard.pop();
        heard.push({
          text: `w${number}`,
          voice: number,
          startMs: isSame ? last.startMs : startMs,
          endMs: atMs,
        });
        if (whole().length > 0) later({ type: "interim", text: whole().map(({ text }) => text).join(" ") });
      };
      voice.pipeTo(
        new WritableStream({ write: (event) => event.type === "audio" ? hear(event.frame) : undefined }),
      )
        .then(() => out.close(), () => {}); // the session is over
      return out.readable;
    },
  };
}

/** Somebody who says one word after the other from `fromMs` until `untilMs`, and then nothing. */
function speaker(clock: ReturnType<typeof fakeClock>, untilMs: number, fromMs = 0) {
  const frames: AudioFrame[] = [];
  return {
    /** What a microphone keeps until it is read. */
    kept: () => frames.slice(-2_000 / frameMs),
    async go(ms: number, isEnough: () => boolean, ...heardBy: readonly Life[]) {
      const overMs = clock.now() + ms;
      while (clock.now() < overMs && !isEnough()) {
        const atMs = clock.now();
        await clock.advance(frameMs);
        const frame = microphoneFrame(atMs, atMs >= fromMs && atMs < untilMs, Math.floor(atMs / msPerWord));
        frames.push(frame);
        for (const { room } of heardBy) room.hear(frame);
        await clock.settle();
      }
    },
  };
}

const never = () => false;
const told = ({ events }: Life) =>
  events.map(({ type }) => type).filter((type) =>
    ["user-started-speaking", "user-stopped-speaking", "user-speech-committed", "turn-ended"].includes(type)
  );

/** A call whose user speaks until `untilMs`, held at the first moment after 3 s. */
async function begin(untilMs: number) {
  const clock = fakeClock();
  const user = speaker(clock, untilMs);
  const first = await live({ clock, stt: listener(clock) });
  await user.go(3_000, never, first);
  await user.go(3_000, () => first.departure()?.isMidSpeech === true, first);
  const from = first.departure();
  assert(from?.isMidSpeech, "expected a moment");
  const goOn = from.hold();
  const heldMs = clock.now();
  const snapshot = structuredClone(from.take());
  assert(snapshot.begun?.startsWith("w0 w1 w2 w3 "), snapshot.begun);
  return { clock, user, first, goOn, snapshot, sinceMs: heldMs - (snapshot.unheardMs ?? 0) };
}

/** Another has it, and hears what its microphone has kept. */
async function takeOver(
  { clock, user, snapshot, sinceMs }: Pick<
    Awaited<ReturnType<typeof begin>>,
    "clock" | "user" | "snapshot" | "sinceMs"
  >,
) {
  await user.go(140, never);
  const second = await live({ clock, stt: listener(clock), silently: true, snapshot, sinceMs });
  for (const frame of user.kept()) second.room.hear(frame);
  return second;
}

describe("a session that changes hands while the user speaks", () => {
  it("has one turn, with all that was said, once, and answers it once", async () => {
    const given = await begin(10_000);
    const { user, first } = given;
    const second = await takeOver(given);
    await user.go(600, never, first, second);
    const closed = first.session.close("handed-over");
    await user.go(9_000, never, second);
    await closed;
    assertEquals(second.said(), [`user: ${words(0, 50).join(" ")}`, "assistant: Fine."]);
    assertEquals([first.requests.length, first.said()], [0, []]);
    assertEquals(told(first), ["user-started-speaking"]);
    assertEquals(told(second), ["user-stopped-speaking", "user-speech-committed", "turn-ended"]);
    const shown = [first, second].flatMap(({ room }) =>
      room.shown.filter(({ of, final }) => of === "user" && final)
    );
    assertEquals(shown.map(({ text }) => text).join(" "), words(0, 50).join(" "));
    await second.end();
  });

  it("ends the turn as usual when the user says no more", async () => {
    const given = await begin(10_000);
    const { user, snapshot } = given;
    const silent = { ...given, user: speaker(given.clock, 0) };
    const second = await takeOver(silent);
    const beganMs = given.clock.now();
    await silent.user.go(
      3_000,
      () => second.events.some(({ type }) => type === "user-speech-committed"),
      second,
    );
    const { minDelayMs } = turnTaking.endpointing;
    const tookMs = given.clock.now() - beganMs;
    assert(tookMs <= minDelayMs + 2 * frameMs, `it took ${tookMs} ms`);
    await silent.user.go(3_000, never, second);
    assertEquals(second.said(), [`user: ${snapshot.begun}`, "assistant: Fine."]);
    await user.go(0, never);
    await second.end();
    await given.first.end();
  });

  it("goes on where it is when nobody takes it, with all that was said meanwhile", async () => {
    const { user, first, goOn } = await begin(10_000);
    const before = first.room.shown.length;
    await user.go(1_900, never, first);
    assertEquals(first.room.shown.length, before);
    goOn();
    await user.go(9_000, never, first);
    assertEquals(first.said(), [`user: ${words(0, 50).join(" ")}`, "assistant: Fine."]);
    assertEquals(told(first), [
      "user-started-speaking",
      "user-stopped-speaking",
      "user-speech-committed",
      "turn-ended",
    ]);
    await first.end();
  });

  it("begins without the words when it goes on after a fault", async () => {
    const { clock, user, first, snapshot } = await begin(10_000);
    const second = await live({ clock, stt: listener(clock), snapshot });
    await user.go(4_000, never);
    assertEquals(second.said(), ["assistant: Sorry, I lost you for a second. Please go on."]);
    await second.end();
    await first.end();
  });
});

describe("a session that changes hands before all of the user's voice was heard", () => {
  it("has all that was said, once", async () => {
    const clock = fakeClock();
    const user = speaker(clock, 5_000, 3_000);
    const first = await live({ clock, stt: listener(clock) });
    await user.go(2_900, never, first);
    await user.go(600, never); // the machine is slow
    const from = first.departure();
    assertEquals([from?.isMoment, from?.isMidSpeech], [true, false]);
    from?.hold();
    const snapshot = structuredClone(from?.take());
    assert(snapshot?.unheardMs !== undefined && Math.abs(snapshot.unheardMs - 1_000) <= frameMs);
    const sinceMs = clock.now() - snapshot.unheardMs;
    const second = await takeOver({ clock, user, snapshot, sinceMs });
    const closed = first.session.close("handed-over");
    await user.go(5_000, never, second);
    await closed;
    assertEquals(second.said(), [`user: ${words(15, 25).join(" ")}`, "assistant: Fine."]);
    assertEquals([first.said(), told(first)], [[], []]);
    await second.end();
  });
});
