/** One response of the model: its words and calls for whoever answers, its sound for whoever speaks. */
import { type AudioFormat, type AudioFrame, durationMs } from "../audio/frame.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import type { StageError } from "../errors.ts";
import type { LanguageEvent, TokenUsage, ToolCall } from "../llm/llm.ts";
import { createQueue } from "../queue.ts";

/** Milliseconds of sound that are handed on at a time. */
const frameMs = 100;

/** A piece of a response that sounds, and how long it does. */
interface Part {
  readonly itemId: string;
  audioMs: number;
}

export interface RealtimeResponse {
  /** Whether it is part of the conversation. */
  readonly inConversation: boolean;
  /** What is said in it so far. */
  readonly text: string;
  readonly parts: readonly Part[];
  /** How much sound there is so far, in milliseconds. */
  readonly audioMs: number;
  /** Whether that is all: it is over at the server, or is not waited for any more. */
  readonly isWhole: boolean;
  readonly events: ReadableStream<LanguageEvent>;
  /** A failure comes after the sound before it. */
  readonly audio: ReadableStream<AudioFrame>;
  /** Settles when it is whole. */
  readonly done: Promise<void>;
  /** It is not wanted any more. */
  cancelled: boolean;
  /** Whether `piece` is what comes next of its text: then that was taken. */
  takes(piece: string): boolean;
  /** More of its words. */
  say(words: string): void;
  /** More of its sound, in the item that the server calls that: 16-bit little-endian samples. */
  sound(itemId: string, bytes: Uint8Array): void;
  call(call: ToolCall): void;
  /** `cut`: why there is not more of it. */
  finish(tokens: TokenUsage | undefined, cut?: "length" | "content-filter"): void;
  fail(error: StageError): void;
}

/** `count` is told its tokens; what it returns is told with its end. */
export function createResponse({ inConversation, format, count }: {
  readonly inConversation: boolean;
  readonly format: AudioFormat;
  readonly count: (tokens: TokenUsage) => TokenUsage | undefined;
}): RealtimeResponse {
  const events = createQueue<LanguageEvent>();
  const audio = createQueue<AudioFrame>();
  const done = Promise.withResolvers<void>();
  const parts: Part[] = [];
  const read = sampleReader();
  let text = "";
  let taken = 0;
  let audioMs = 0;
  let isWhole = false;
  let hasCalled = false;

  const end = (failure?: { readonly error: StageError }) => {
    isWhole = true;
    events.end(failure);
    audio.end(failure);
    done.resolve();
  };
  return {
    inConversation,
    cancelled: false,
    parts,
    get text() {
      return text;
    },
    get audioMs() {
      return audioMs;
    },
    get isWhole() {
      return isWhole;
    },
    events: events.readable,
    audio: audio.readable,
    done: done.promise,
    takes(piece) {
      if (!text.startsWith(piece, taken)) return false;
      taken += piece.length;
      return true;
    },
    say(words) {
      text += words;
      events.push({ type: "text", text: words });
    },
    sound(itemId, bytes) {
      const last = parts.at(-1);
      const part = last?.itemId === itemId ? last : { itemId, audioMs: 0 };
      if (part !== last) parts.push(part);
      for (const frame of framesOf(read(bytes), format, frameMs)) {
        part.audioMs += durationMs(frame);
        audioMs += durationMs(frame);
        audio.push(frame);
      }
    },
    call(call) {
      hasCalled = true;
      events.push({ type: "tool-call", ...call });
    },
    finish(tokens, cut) {
      const usage = tokens && count(tokens);
      events.push({
        type: "finish",
        reason: cut ?? (hasCalled ? "tool-calls" : "stop"),
        ...(usage && { usage }),
      });
      end();
    },
    fail: (error) => end({ error }),
  };
}
