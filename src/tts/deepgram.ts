/** Voices by Deepgram: https://developers.deepgram.com/docs/tts-websocket */
import { abortable } from "../abort.ts";
import type { AudioFormat } from "../audio/frame.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { keepOpen } from "./connection.ts";
import { createLine, type Line } from "./deepgram_line.ts";
import { speak } from "./speaking.ts";
import type { TextToSpeech } from "./tts.ts";

/** The longest frame that is handed on, in milliseconds. */
const frameMs = 100;

export interface DeepgramTextToSpeechOptions {
  readonly apiKey: string;
  /** A Deepgram of your own (default: Deepgram's); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** The voice, which is the language as well. */
  readonly model?: string | undefined;
  /** 8000, 16000, 24000, 32000 or 48000. */
  readonly sampleRate?: number | undefined;
  readonly clock: Clock;
  /** Told what Deepgram warns of. */
  readonly log?: Log | undefined;
}

/**
 * Speaks with Deepgram's Aura voices. Not through its SDK: that one wraps every piece of audio in a Blob, which can only be
 * read later, out of step with the messages between the pieces. Replies on one connection wait for each other. An
 * aborted `synthesize()` fails with the signal's reason; any other failure is a StageError of stage "tts".
 */
export function deepgramTextToSpeech(
  {
    apiKey,
    baseUrl = "https://api.deepgram.com",
    model = "aura-2-thalia-en",
    sampleRate = 24_000,
    clock,
    log,
  }: DeepgramTextToSpeechOptions,
): TextToSpeech {
  const output = { sampleRate, channels: 1 };
  const query = new URLSearchParams({ model, encoding: "linear16", sample_rate: String(sampleRate) });
  const newLine = () => createLine({ url: `${baseUrl}/v1/speak?${query}`, apiKey, clock, log });
  const facts = { provider: "deepgram", model, output };
  return {
    ...facts,
    synthesize(text, { signal }) {
      const line = newLine();
      return speakOn(text, { line, output, signal, free: Promise.resolve(), onEnd: line.close }).events;
    },
    connect(session) {
      const line = newLine();
      let free: Promise<void> = Promise.resolve();
      keepOpen(line, session);
      return {
        ...facts,
        synthesize(text, { signal }) {
          const reply = speakOn(text, { line, output, signal, free });
          free = reply.done;
          return reply.events;
        },
      };
    },
  };
}

interface SpeakOptions {
  readonly line: Line;
  readonly output: AudioFormat;
  readonly signal: AbortSignal;
  /** Settles when the reply before is off the line. */
  readonly free: Promise<void>;
  readonly onEnd?: () => void;
}

/** Speaks one reply; `done` settles when it is off the line. */
function speakOn(text: ReadableStream<string>, { line, output, signal, free, onEnd }: SpeakOptions) {
  const read = sampleReader();
  /** For each Flush that was not answered yet: how much text came before it. */
  const marks: number[] = [];
  let characters = 0;
  let flushedCharacters = 0;
  let textEnded = false;

  return speak(text, signal, (reply) => {
    const flush = () => {
      marks.push(characters);
      line.flush();
    };
    const listener = {
      audio(bytes: Uint8Array) {
        for (const frame of framesOf(read(bytes), output, frameMs)) reply.push({ type: "audio", frame });
      },
      flushed() {
        const mark = marks.shift();
        if (mark === undefined) return;
        flushedCharacters = mark;
        reply.push({ type: "mark", characters: mark });
        if (textEnded && marks.length === 0) reply.spoken();
      },
      flushRefused() {
        marks.pop();
        const message = "Deepgram refused to speak the end of the text: too many Flush messages in a minute";
        if (textEnded) reply.fail(new StageError("tts", message, { retryable: true }));
      },
      fail: reply.fail,
    };
    return {
      async start() {
        await abortable(free, reply.signal);
        await abortable(line.open(), reply.signal);
        line.take(listener);
      },
      write(clause) {
        line.speak(clause);
        const first = characters === 0;
        characters += clause.length;
        if (first && line.canFlushEarly) flush();
      },
      close() {
        textEnded = true;
        if (characters > (marks.at(-1) ?? flushedCharacters)) flush();
        if (marks.length === 0) reply.spoken();
      },
      async release() {
        await free; // a reply that gave up waiting has nothing on the line
        await line.release(characters > flushedCharacters);
        onEnd?.();
      },
    };
  });
}
