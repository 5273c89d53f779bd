/** A recognizer at work on a voice that is fed by hand. */
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { FakeClock } from "../fakes/clock.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

export function startHearing(stt: SpeechToText, clock: FakeClock) {
  const voice = voiceFeed();
  const abort = new AbortController();
  const events: TranscriptEvent[] = [];
  const sent = { ms: 0 };
  const onSent = (ms: number) => void (sent.ms += ms);
  const done = collect(stt.transcribe(voice.stream, { signal: abort.signal, onSent }), events);
  const finals = () => events.filter(({ type }) => type === "final").map(({ text }) => text);
  /** Waits, in real time, for what the emulator does in its own. */
  const until = (condition: () => boolean) => waitUntil(condition, clock);
  return { voice, abort, events, sent, done, finals, until };
}

/** Reads all of `stream`; settles with its error, or with undefined when it closed. */
export async function collect<T>(stream: ReadableStream<T>, into: T[]): Promise<unknown> {
  try {
    for await (const event of stream) into.push(event);
  } catch (error) {
    return error;
  }
}

/** Waits, in real time, for what an emulator does in its own. */
export async function waitUntil(condition: () => boolean, clock: FakeClock): Promise<void> {
  while (!condition()) {
    await clock.settle();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The same for an emulator whose time is `theirs`: it passes while one waits. */
export async function waitOn(theirs: FakeClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await theirs.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
