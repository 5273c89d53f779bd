/** Voice as a recognizer is handed it: frames of 20 ms with the detector's marks between them. */
import type { SpeechInput } from "../../src/stt/stt.ts";
import type { VoiceMark } from "../../src/vad/vad.ts";
import { voice } from "../emulators/voice.ts";

export const frameMs = 20;
const sampleRate = 16_000;

export interface VoiceFeed {
  readonly stream: ReadableStream<SpeechInput>;
  /** `ms` of speech. */
  speech(ms: number): void;
  silence(ms: number): void;
  /** `ms` of speech that the detector takes for none. */
  stray(ms: number): void;
  /** `dictated`: what begins is what the user was asked for. */
  mark(type: VoiceMark["type"], dictated?: true): void;
  /** A request for the final words of what came by now. */
  finalize(): void;
  /** Speech with its marks, and the silence after it. */
  utterance(ms: number): void;
  end(): void;
  /** Whether the reader has given up. */
  readonly cancelled: boolean;
}

/** A voice that is fed by hand. */
export function voiceFeed(): VoiceFeed {
  let controller: ReadableStreamDefaultController<SpeechInput>;
  let cancelled = false;
  let atMs = 0;
  const stream = new ReadableStream<SpeechInput>({
    start: (given) => void (controller = given),
    cancel: () => void (cancelled = true),
  });
  const push = (event: SpeechInput) => {
    if (!cancelled) controller.enqueue(event);
  };
  const audio = (ms: number, speech: boolean, loud = speech) => {
    const count = sampleRate * frameMs / 1000;
    for (const untilMs = atMs + ms; atMs < untilMs; atMs += frameMs) {
      const samples = loud ? voice(sampleRate, atMs * sampleRate / 1000, count) : new Int16Array(count);
      push({ type: "audio", frame: { samples, sampleRate, channels: 1, timestampMs: atMs }, speech });
    }
  };
  const feed: VoiceFeed = {
    stream,
    speech: (ms) => audio(ms, true),
    silence: (ms) => audio(ms, false),
    stray: (ms) => audio(ms, false, true),
    finalize: () => push({ type: "finalize" }),
    mark: (type, dictated) =>
      push(
        type === "speech-start"
          ? { type, atMs, voicedMs: 64, ...(dictated && { dictated }) }
          : { type, atMs },
      ),
    utterance(ms) {
      feed.mark("speech-start");
      feed.speech(ms);
      feed.silence(260);
      feed.mark("speech-end");
    },
    end: () => cancelled || controller.close(),
    get cancelled() {
      return cancelled;
    },
  };
  return feed;
}
