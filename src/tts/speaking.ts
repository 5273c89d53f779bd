/** What speaking one reply has in common, whatever it is spoken on. */
import { abortable } from "../abort.ts";
import { type AudioFormat, durationMs } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import { asStageError, type StageError } from "../errors.ts";
import type { SpeechEvent } from "./tts.ts";

/** The longest frame that is delivered, in milliseconds. */
export const frameMs = 100;

/** What becomes of a reply. */
export interface Reply {
  push(event: SpeechEvent): void;
  /** All of it was delivered. */
  spoken(): void;
  fail(error: StageError): void;
  /** Aborts as soon as nothing more of it is wanted. */
  readonly signal: AbortSignal;
}

/** What its text is given to, clause by clause. */
export interface ReplySink {
  /** Settles when it can be spoken. */
  start(): Promise<void>;
  write(clause: string): void | Promise<void>;
  /** There is no more text. */
  close(): void;
  /** It was spoken, cut off, or has failed: nothing of it may come any more. */
  release(): void | Promise<void>;
}

/**
 * Has `text` spoken by what `begin` makes. An aborted reply fails with the signal's reason, any other failure is a
 * StageError of stage "tts". `done` settles when the sink is released.
 */
export function speak(
  text: ReadableStream<string>,
  signal: AbortSignal,
  begin: (reply: Reply) => ReplySink,
): { readonly events: ReadableStream<SpeechEvent>; readonly done: Promise<void> } {
  const over = new AbortController();
  const out = liveStream<SpeechEvent>({ limit: Infinity, onCancel: () => over.abort() });
  const spoken = Promise.withResolvers<void>();
  const reply = {
    push: out.push,
    spoken: spoken.resolve,
    fail: (error: StageError) => over.abort(error),
    signal: over.signal,
  };
  const { start, write, close, release } = begin(reply);
  const run = async () => {
    await text.pipeTo(new WritableStream<string>({ start, write, close }), { signal: over.signal });
    await abortable(spoken.promise, over.signal);
  };
  if (signal.aborted) over.abort(signal.reason);
  signal.addEventListener("abort", () => over.abort(signal.reason), { signal: over.signal });
  const done = run().then(out.close, (error) => {
    // The reason first: a failing line also fails whatever was under way.
    const why = over.signal.aborted ? over.signal.reason : error;
    out.error(signal.aborted ? signal.reason : asStageError("tts", why));
  }).then(() => {
    over.abort();
    return release();
  });
  return { events: out.readable, done };
}

/** Delivers audio that comes as 16-bit little-endian samples of `format`, in pieces of any number of bytes. */
export interface AudioWriter {
  write(bytes: Uint8Array): void;
  /** What was delivered, in milliseconds. */
  readonly audioMs: number;
}

export function audioWriter({ push }: Pick<Reply, "push">, format: AudioFormat): AudioWriter {
  const read = sampleReader();
  let audioMs = 0;
  return {
    write(bytes) {
      for (const frame of framesOf(read(bytes), format, frameMs)) {
        audioMs += durationMs(frame);
        push({ type: "audio", frame });
      }
    },
    get audioMs() {
      return audioMs;
    },
  };
}

/** Whether there is anything to hear in `text`. */
export const sounds = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);
