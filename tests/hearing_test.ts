/** What listens, changed in the middle of a call. */
import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AudioFrame } from "../src/audio/frame.ts";
import { type LiveStream, liveStream } from "../src/audio/live.ts";
import { startHearing } from "../src/hearing.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "../src/stt/stt.ts";
import type { UnstampedTurnEvent } from "../src/turn_taker.ts";
import { fakeClock } from "./fakes/clock.ts";
import { loudnessDetector, microphoneFrame } from "./fakes/speech.ts";

/** A recognizer that says what it is told to, until its voice ends; `last`: what it says then. */
function recognizer(last?: TranscriptEvent) {
  let out: LiveStream<TranscriptEvent> | undefined;
  let frames = 0;
  const marks: SpeechInput[] = [];
  const write = (event: SpeechInput) => {
    if (event.type === "audio") frames++;
    else marks.push(event);
  };
  const stt: SpeechToText = {
    provider: "test",
    model: "test",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe(voice) {
      const own = out = liveStream<TranscriptEvent>({ limit: 100 });
      voice.pipeTo(new WritableStream({ write }))
        .then(() => {
          if (last) own.push(last);
          own.close();
        });
      return own.readable;
    },
  };
  return {
    stt,
    marks,
    say: (event: TranscriptEvent) => out?.push(event),
    get frames() {
      return frames;
    },
  };
}

describe("hearing with others", () => {
  const ends: [what: string, last: TranscriptEvent | undefined][] = [
    ["are final when the one before is let go", { type: "final", text: "I want" }],
    ["were not final", undefined],
  ];
  for (const [what, last] of ends) {
    it(`loses no words that ${what}, and no frame`, async () => {
      const clock = fakeClock();
      const microphone = liveStream<AudioFrame>({ limit: Infinity });
      const over = new AbortController();
      const noted: UnstampedTurnEvent[] = [];
      const [first, second] = [recognizer(last), recognizer()];
      const vad = loudnessDetector();
      const hearing = startHearing({
        microphone: microphone.readable,
        vad,
        stt: first.stt,
        note: (event) => void noted.push(event),
        isDictated: () => false,
        clock,
        signal: over.signal,
        onError: (error) => {
          throw error;
        },
      });
      const hear = async (count: number) => {
        for (let i = 0; i < count; i++) microphone.push(microphoneFrame(i * 20, true));
        await clock.settle();
        await clock.settle();
      };
      await hear(10);
      first.say({ type: "interim", text: "I want" });
      await clock.settle();
      hearing.use({ vad, stt: first.stt }); // nothing is new
      hearing.use({ vad, stt: second.stt });
      await hear(5);
      second.say({ type: "final", text: "to buy" });
      await clock.settle();
      microphone.close();
      await hearing.done;
      assertEquals([first.frames, second.frames], [10, 5]);
      assertEquals(
        noted.flatMap((event) => event.type.startsWith("transcript") && "text" in event ? [event.text] : []),
        ["I want", "I want", "to buy"],
      );
      assertEquals(
        noted.flatMap(({ type }) => type === "speech-start" || type === "speech-end" ? [type] : []).slice(
          0,
          3,
        ),
        ["speech-start", "speech-end", "speech-start"],
      );
      over.abort();
    });
  }
});

describe("hearing", () => {
  it("hears nothing and tells no words while it is held, and then all of it", async () => {
    const clock = fakeClock();
    const microphone = liveStream<AudioFrame>({ limit: Infinity });
    const over = new AbortController();
    const noted: UnstampedTurnEvent[] = [];
    const ear = recognizer();
    const hearing = startHearing({
      microphone: microphone.readable,
      vad: loudnessDetector(),
      stt: ear.stt,
      note: (event) => void noted.push(event),
      isDictated: () => false,
      clock,
      signal: over.signal,
      onError: (error) => {
        throw error;
      },
    });
    const hear = async (count: number) => {
      for (let i = 0; i < count; i++) microphone.push(microphoneFrame(i * 20, false));
      ear.say({ type: "interim", text: `${count}` });
      for (let i = 0; i < 3; i++) await clock.settle();
      return [ear.frames, noted.length];
    };
    assertEquals(await hear(5), [5, 1]);
    const goOn = hearing.hold();
    assertEquals(await hear(10), [5, 1]);
    goOn();
    assertEquals(await hear(1), [16, 3]);
    hearing.hold();
    await hear(1);
    over.abort();
    await assertRejects(() => hearing.done); // whatever holds it
  });

  const judgements: [TranscriptEvent, end: string | undefined][] = [
    [{ type: "interim", text: "A table" }, undefined],
    [{ type: "interim", text: "A table", eager: true }, "likely"],
    [{ type: "final", text: "A table" }, undefined],
    [{ type: "final", text: "for two", endOfTurn: true }, "silent"],
    [{ type: "final", text: "please", endOfTurn: true, judged: true }, "judged"],
  ];

  it("tells turn-taking what the recognizer thinks of the end, and the recognizer what is dictated", async () => {
    const clock = fakeClock();
    const microphone = liveStream<AudioFrame>({ limit: Infinity });
    const noted: UnstampedTurnEvent[] = [];
    const { stt, say, marks } = recognizer();
    let isDictated = false;
    const hearing = startHearing({
      microphone: microphone.readable,
      vad: loudnessDetector(),
      stt,
      note: (event) => void noted.push(event),
      isDictated: () => isDictated,
      clock,
      signal: new AbortController().signal,
      onError: (error) => {
        throw error;
      },
    });
    let heard = 0;
    const hear = async (frames: number, voiced: boolean) => {
      for (let i = 0; i < frames; i++) microphone.push(microphoneFrame(heard++ * 20, voiced));
      await clock.settle();
    };
    await hear(10, true);
    await hear(30, false);
    isDictated = true;
    await hear(10, true);
    for (const [event] of judgements) say(event);
    await clock.settle();
    microphone.close();
    await hearing.done;
    const starts = marks.flatMap((event) => event.type === "speech-start" ? [event.dictated] : []);
    assertEquals(starts, [undefined, true]);
    assertEquals(
      noted.flatMap((event) => "text" in event ? ["end" in event ? event.end : undefined] : []),
      judgements.map(([, end]) => end),
    );
  });
});
