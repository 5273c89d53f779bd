import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { liveStream } from "../../src/audio/live.ts";
import { StageError } from "../../src/errors.ts";
import { fallbackSpeechToText } from "../../src/stt/fallback.ts";
import { reconnecting } from "../../src/stt/reconnecting.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import { fakeClock } from "../fakes/clock.ts";
import { microphoneFrame } from "../fakes/speech.ts";

const input = { sampleRate: 16_000, channels: 1 };

interface Played extends SpeechToText {
  /** Whether it fails, or hears nothing. */
  how: "well" | "failing" | "deaf";
  connections: number;
  /** Milliseconds of audio that it was sent, over all connections. */
  heardMs: number;
}

/** A recognizer that says its own name and how much speech there was, when speech has ended. */
function played(model: string): Played {
  const self: Played = {
    provider: "played",
    model,
    input,
    how: "well",
    connections: 0,
    heardMs: 0,
    transcribe(voice, { signal }) {
      self.connections++;
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      let speechMs = 0;
      let atMs = 0;
      const hear = (event: SpeechInput) => {
        if (event.type === "audio") {
          self.heardMs += 20;
          atMs += 20;
          if (event.speech) speechMs += 20;
        }
        if (self.how === "failing") throw new StageError("stt", `${model} failed`, { retryable: true });
        if (self.how === "deaf" || event.type !== "speech-end") return;
        const words = [{ text: model, startMs: atMs - 20, endMs: atMs }];
        out.push({ type: "final", text: `${model} ${speechMs}`, words });
        speechMs = 0;
      };
      voice.pipeTo(new WritableStream({ write: hear }), { signal }).then(out.close, out.error);
      return out.readable;
    },
  };
  return self;
}

/** Somebody speaks for a second, and is silent for one, over and over. */
function start(recognizers: readonly [SpeechToText, ...SpeechToText[]]) {
  const clock = fakeClock();
  const voice = liveStream<SpeechInput>({ limit: Infinity });
  const errors: string[] = [];
  const stt = reconnecting(fallbackSpeechToText(recognizers, { clock }), {
    clock,
    onError: (error) => void errors.push(error.message),
  });
  const session = new AbortController();
  const finals: Extract<TranscriptEvent, { type: "final" }>[] = [];
  const read = (async () => {
    for await (const event of stt.transcribe(voice.readable, session)) {
      if (event.type === "final") finals.push(event);
    }
  })();
  const speak = async (ms: number, speech: boolean) => {
    voice.push(
      {
        type: speech ? "speech-start" : "speech-end",
        atMs: clock.now(),
        voicedMs: clock.now(),
      } as SpeechInput,
    );
    for (let sent = 0; sent < ms; sent += 20) {
      voice.push({ type: "audio", frame: microphoneFrame(clock.now(), speech), speech });
      await clock.advance(20);
    }
  };
  return {
    clock,
    errors,
    finals,
    async turn(speechMs = 1_000, silentMs = 1_000) {
      await speak(speechMs, true);
      await speak(silentMs, false);
    },
    async end() {
      voice.close();
      await clock.advance(100);
      session.abort();
      await read;
    },
  };
}

describe("recognizers that stand in for each other", () => {
  it("uses the first as long as it is well", async () => {
    const [first, second] = [played("first"), played("second")];
    const { turn, end, finals, errors } = start([first, second]);
    await turn();
    await turn();
    await end();
    assertEquals(finals.map(({ text }) => text), ["first 1000", "first 1000"]);
    assertEquals([second.connections, errors], [0, []]);
  });

  it("gives the next the whole utterance when the first fails in its middle", async () => {
    const [first, second] = [played("first"), played("second")];
    const { turn, end, finals, errors, clock } = start([first, second]);
    clock.after(500, () => first.how = "failing");
    await turn();
    await end();
    assertEquals(finals.map(({ text }) => text), ["second 1000"]);
    assertEquals(errors, ["first failed"]);
  });

  it("gives the next the whole utterance when the first is deaf", async () => {
    const [first, second] = [played("first"), played("second")];
    first.how = "deaf";
    const { turn, end, finals } = start([first, second]);
    await turn(4_500);
    await end();
    assertEquals(finals.map(({ text }) => text), ["second 4500"]);
  });

  it("goes back to the first in a silence, once it may be tried again", async () => {
    const [first, second] = [played("first"), played("second")];
    first.how = "failing";
    const { turn, end, finals, errors } = start([first, second]);
    for (let n = 0; n < 4; n++) await turn();
    first.how = "well";
    for (let n = 0; n < 3; n++) await turn();
    await end();
    assertEquals(finals.map(({ text }) => text.split(" ")[0]), [
      "second",
      "second",
      "second",
      "second",
      "second",
      "first",
      "first",
    ]);
    assertEquals(errors, ["first failed"]);
    assertEquals(second.connections, 1);
    const lastWord = finals.at(-1)?.words?.[0];
    assertEquals(lastWord?.endMs, 13_000, "times count from the first audio there was");
  });

  it("goes on with the next when the first is no better when it is tried again", async () => {
    const [first, second] = [played("first"), played("second")];
    first.how = "failing";
    const { turn, end, finals } = start([first, second]);
    for (let n = 0; n < 8; n++) await turn();
    await end();
    assertEquals(finals.map(({ text }) => text), Array(8).fill("second 1000"));
    assertEquals(first.connections, 2);
  });
});
