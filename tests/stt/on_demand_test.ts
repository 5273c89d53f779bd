import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { durationMs } from "../../src/audio/frame.ts";
import { liveStream } from "../../src/audio/live.ts";
import { StageError } from "../../src/errors.ts";
import { onDemand } from "../../src/stt/on_demand.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import { fakeClock } from "../fakes/clock.ts";
import { type VoiceFeed, voiceFeed } from "../fakes/voice_events.ts";

/** One connection of the recognizer. */
interface Connection {
  audioMs: number;
  speechMs: number;
  /** Whether the voice it was given has ended; it is still open then. */
  ended: boolean;
  tell(event: TranscriptEvent): void;
  fail(error: unknown): void;
  close(): void;
}

/** A recognizer of `most` connections at a time, for so many people; each says what it is told to. */
function start({ most, people }: { readonly most: number; readonly people: number }) {
  const clock = fakeClock();
  const connections: Connection[] = [];
  const stt: SpeechToText = {
    provider: "fake",
    model: "fake",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe(voice, { signal }) {
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      const connection: Connection = {
        audioMs: 0,
        speechMs: 0,
        ended: false,
        tell: out.push,
        fail: out.error,
        close: out.close,
      };
      connections.push(connection);
      signal.addEventListener("abort", out.close, { once: true });
      const write = new WritableStream({
        write(event) {
          if (event.type !== "audio") return;
          connection.audioMs += durationMs(event.frame);
          if (event.speech) connection.speechMs += durationMs(event.frame);
        },
      });
      voice.pipeTo(write, { signal }).then(() => connection.ended = true, () => {}); // aborted: it is over
      return out.readable;
    },
  };
  const shared = onDemand({ most, clock })(stt);
  const abort = new AbortController();
  const heard: string[] = [];
  const voices: VoiceFeed[] = [];
  const done = Array.from({ length: people }, async (_, at) => {
    const voice = voiceFeed();
    voices.push(voice);
    try {
      for await (const event of shared.transcribe(voice.stream, { signal: abort.signal })) {
        const times = event.type === "final" ? event.words?.map(({ startMs }) => ` @${startMs}`) : undefined;
        heard.push(`${at} ${event.text}${times ?? ""}`);
      }
      heard.push(`${at} closed`);
    } catch (error) {
      heard.push(`${at} ${(error as Error).message}`);
    }
  });
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  return { clock, connections, voices, heard, abort, settle, done: () => Promise.all(done) };
}

const final = (text: string): TranscriptEvent => ({ type: "final", text });

describe("a recognizer on demand", () => {
  it("is connected when somebody begins to speak, with the second before, and ends with the voice", async () => {
    const { connections, voices: [voice], heard, settle, done } = start({ most: 1, people: 1 });
    voice!.silence(60_000);
    await settle();
    assertEquals(connections.length, 0);
    voice!.utterance(1_000);
    await settle();
    assertEquals(connections.map(({ audioMs, speechMs }) => [audioMs, speechMs]), [[2_260, 1_000]]);
    connections[0]!.tell({
      type: "final",
      text: "Hello.",
      words: [{ text: "Hello.", startMs: 1_000, endMs: 1_500 }],
    });
    voice!.end();
    await settle();
    assertEquals(connections[0]!.ended, true);
    connections[0]!.tell(final("Bye."));
    connections[0]!.close();
    await done();
    assertEquals(heard, ["0 Hello. @60000", "0 Bye.", "0 closed"]);
  });

  it("is left after half a minute of silence, and connected anew", async () => {
    const { connections, voices: [voice], heard, abort, settle, done } = start({ most: 1, people: 1 });
    voice!.utterance(1_000);
    voice!.silence(29_000);
    await settle();
    assertEquals(connections[0]!.ended, false);
    voice!.silence(2_000);
    await settle();
    assertEquals(connections[0]!.ended, true);
    connections[0]!.tell(final("One."));
    connections[0]!.close();
    await settle();
    voice!.utterance(1_000);
    await settle();
    connections[1]!.tell({
      type: "final",
      text: "Two.",
      words: [{ text: "Two.", startMs: 1_000, endMs: 1_500 }],
    });
    await settle();
    abort.abort();
    await done();
    assertEquals(heard, ["0 One.", "0 Two. @32260", "0 closed"]);
  });

  it("has only so many connections: who waits gets that of the quietest, with all they have said", async () => {
    const { connections, voices, heard, abort, settle, done } = start({ most: 2, people: 3 });
    const [anna, ben, cora] = voices;
    anna!.utterance(1_000);
    ben!.utterance(1_000);
    ben!.silence(1_000);
    await settle();
    cora!.utterance(2_000);
    await settle();
    assertEquals(connections.map(({ ended }) => ended), [false, false], "both have only just spoken");
    anna!.silence(3_000);
    ben!.silence(3_000);
    await settle();
    cora!.silence(20);
    await settle();
    assertEquals(connections.map(({ ended }) => ended), [false, true], "Ben has been silent for longer");
    cora!.silence(20);
    await settle();
    assertEquals(connections.length, 2, "his last words are waited for");
    connections[1]!.tell(final("From Ben."));
    connections[1]!.close();
    await settle();
    cora!.silence(20);
    await settle();
    assertEquals(connections.map(({ speechMs }) => speechMs), [1_000, 1_000, 2_000]);
    connections[2]!.tell(final("From Cora."));
    await settle();
    abort.abort();
    await done();
    assertEquals(heard.toSorted(), ["0 closed", "1 From Ben.", "1 closed", "2 From Cora.", "2 closed"]);
  });

  it("keeps no more than half a minute for who waits, and forgets it when they fall silent", async () => {
    const { connections, voices, abort, settle, done } = start({ most: 1, people: 2 });
    const [anna, ben] = voices;
    anna!.utterance(1_000);
    await settle();
    ben!.utterance(40_000);
    await settle();
    connections[0]!.close();
    await settle();
    ben!.silence(20);
    await settle();
    assertEquals(connections[1]!.audioMs, 30_000);
    anna!.utterance(1_000);
    anna!.silence(30_000);
    await settle();
    connections[1]!.close();
    await settle();
    anna!.silence(20);
    await settle();
    assertEquals(connections.length, 2);
    abort.abort();
    await done();
  });

  it("waits for a connection even for who has left, with what they have said", async () => {
    const { connections, voices, heard, abort, settle, done } = start({ most: 1, people: 2 });
    const [anna, ben] = voices;
    anna!.utterance(1_000);
    await settle();
    ben!.utterance(1_000);
    ben!.end();
    await settle();
    assertEquals(connections.length, 1);
    anna!.silence(3_000);
    await settle();
    assertEquals(connections[0]!.ended, true);
    connections[0]!.close();
    await settle();
    assertEquals([connections[1]!.speechMs, connections[1]!.ended], [1_000, true]);
    connections[1]!.tell(final("From Ben."));
    connections[1]!.close();
    await settle();
    assertEquals(heard, ["1 From Ben.", "1 closed"]);
    abort.abort();
    await done();
  });

  it("cuts a connection that does not end", async () => {
    const { clock, connections, voices, heard, abort, settle, done } = start({ most: 1, people: 2 });
    const [anna, ben] = voices;
    anna!.utterance(1_000);
    anna!.silence(3_000);
    await settle();
    ben!.utterance(1_000);
    await settle();
    assertEquals(connections.map(({ ended }) => ended), [true]);
    await clock.advance(5_000);
    ben!.silence(20);
    await settle();
    assertEquals(connections.map(({ speechMs }) => speechMs), [1_000, 1_000]);
    anna!.utterance(1_000);
    ben!.end();
    await settle();
    connections[1]!.close();
    await settle();
    anna!.silence(20);
    await settle();
    assertEquals(connections.length, 3, "who was cut off is heard again");
    abort.abort();
    await done();
    assertEquals(heard.toSorted(), ["0 closed", "1 closed"]);
    assertEquals(clock.pending, 0);
  });

  it("takes no connection from who begins to speak", async () => {
    const { connections, voices, abort, settle, done } = start({ most: 1, people: 2 });
    const [anna, ben] = voices;
    anna!.utterance(1_000);
    anna!.silence(3_000);
    anna!.mark("speech-start");
    await settle();
    ben!.utterance(1_000);
    await settle();
    assertEquals(connections.map(({ ended }) => ended), [false]);
    abort.abort();
    await done();
  });

  it("fails as the recognizer does", async () => {
    const { connections, voices: [voice], heard, settle, done } = start({ most: 1, people: 1 });
    voice!.utterance(1_000);
    await settle();
    connections[0]!.fail(new StageError("stt", "broken"));
    voice!.end();
    await done();
    assertEquals(heard, ["0 broken"]);
  });
});
