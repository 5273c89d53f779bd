/** One response of OpenAI's: its words and calls for whoever answers, its sound for whoever speaks. */
import { type AudioFormat, type AudioFrame, durationMs } from "../audio/frame.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import { StageError } from "../errors.ts";
import type { LanguageEvent, TokenUsage } from "../llm/llm.ts";
import { writtenArguments } from "../llm/wire.ts";
import { createQueue } from "../queue.ts";
import { type ServerEvent, tokensOf } from "./openai_messages.ts";

/** What it hears and speaks: the one rate of PCM that it knows. */
export const format: AudioFormat = { sampleRate: 24_000, channels: 1 };
/** Milliseconds of sound that are handed on at a time. */
const frameMs = 100;

/** A piece of a response that sounds, and how long it does. */
interface Part {
  readonly itemId: string;
  audioMs: number;
}

export interface RealtimeResponse {
  /** What we call it; in its metadata. */
  readonly id: string;
  /** Whether it is part of the conversation. */
  readonly inConversation: boolean;
  /** What the server calls it, once it does. */
  serverId: string | undefined;
  /** What is said in it so far. */
  readonly text: string;
  readonly parts: readonly Part[];
  /** How much sound there is so far, in milliseconds. */
  readonly audioMs: number;
  /** Whether that is all. */
  readonly isWhole: boolean;
  readonly events: ReadableStream<LanguageEvent>;
  /** A failure comes after the sound before it. */
  readonly audio: ReadableStream<AudioFrame>;
  /** Settles when it is over at the server, or is not waited for any more. */
  readonly done: Promise<void>;
  /** It is not wanted any more. */
  cancelled: boolean;
  /** Whether `piece` is what comes next of its text: then that was taken. */
  takes(piece: string): boolean;
  /** Takes in an event that is about it. */
  note(event: ServerEvent): void;
  fail(error: StageError): void;
}

/** `count` is told its tokens; what it returns is told with its end. */
export function createResponse(
  id: string,
  inConversation: boolean,
  count: (tokens: TokenUsage) => TokenUsage | undefined,
): RealtimeResponse {
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

  const hear = (itemId: string, base64: string) => {
    const last = parts.at(-1);
    const part = last?.itemId === itemId ? last : { itemId, audioMs: 0 };
    if (part !== last) parts.push(part);
    for (const frame of framesOf(read(Uint8Array.fromBase64(base64)), format, frameMs)) {
      part.audioMs += durationMs(frame);
      audioMs += durationMs(frame);
      audio.push(frame);
    }
  };
  const end = (failure?: { readonly error: StageError }) => {
    isWhole = true;
    events.end(failure);
    audio.end(failure);
    done.resolve();
  };
  const finish = ({ status, status_details: details, usage }: NonNullable<ServerEvent["response"]>) => {
    if (status === "failed" || (status === "cancelled" && !self.cancelled)) {
      const { message = `the response was ${status}`, code } = details?.error ?? {};
      const retryable = code !== "insufficient_quota";
      return end({ error: new StageError("llm", `OpenAI failed: ${message}`, { retryable }) });
    }
    const cut = details?.reason === "content_filter" ? "content-filter" : "length";
    const reason = status === "incomplete" ? cut : hasCalled ? "tool-calls" : "stop";
    const tokens = usage && count(tokensOf(usage));
    events.push({ type: "finish", reason, ...(tokens && { usage: tokens }) });
    end();
  };
  const self: RealtimeResponse = {
    id,
    inConversation,
    serverId: undefined,
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
    note(event) {
      switch (event.type) {
        case "response.output_audio_transcript.delta":
          text += event.delta ?? "";
          return events.push({ type: "text", text: event.delta ?? "" });
        case "response.output_audio.delta":
          return hear(event.item_id ?? "", event.delta ?? "");
        case "response.function_call_arguments.done": {
          hasCalled = true;
          const { call_id: id = "", name = "" } = event;
          return events.push({ type: "tool-call", id, name, ...writtenArguments(event.arguments ?? "") });
        }
        case "response.done":
          if (event.response) finish(event.response);
      }
    },
    fail: (error) => end({ error }),
  };
  return self;
}
