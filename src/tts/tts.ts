import type { AudioFormat, AudioFrame } from "../audio/frame.ts";
import type { StageError } from "../errors.ts";

/** A word and when it sounds, in milliseconds from the first sample of the reply. */
export interface WordTime {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * One reply as sound. `mark`: the first `audioMs` milliseconds of the audio (default: all delivered so far) speak exactly
 * the first `characters` characters of the text (sent where the provider acknowledges a flush). `words`: where the provider gives word times.
 */
export type SpeechEvent =
  | { readonly type: "audio"; readonly frame: AudioFrame }
  | { readonly type: "mark"; readonly characters: number; readonly audioMs?: number }
  | { readonly type: "words"; readonly words: readonly WordTime[] };

/** A voice. */
export interface TextToSpeech {
  readonly provider: string;
  readonly model: string;
  /** The format of the audio it delivers. */
  readonly output: AudioFormat;
  /** It takes the words as they are written, piece by piece: not in clauses, nor as they are read aloud. */
  readonly verbatim?: true;
  /**
   * Speaks one reply. `text` arrives in speakable clauses, white space included; the first is to be spoken without
   * waiting for the second. The result closes after the last sample; a failure errors it with a StageError of stage
   * "tts"; aborting `signal` stops the synthesis and discards what was not read.
   */
  synthesize(
    text: ReadableStream<string>,
    options: {
      readonly signal: AbortSignal;
      /** Settles with how much of the audio was heard, in milliseconds, when the reply has ended. */
      readonly heardMs?: Promise<number>;
    },
  ): ReadableStream<SpeechEvent>;
  /**
   * The same voice with a connection kept open for one session, until `signal` aborts, so that no reply waits for a
   * handshake. Absent where there is nothing to keep.
   */
  connect?(options: { readonly signal: AbortSignal }): TextToSpeech;
  /** Of one that is made of several: the same, each of them wrapped; `onFallback` is told of failures that others made good. */
  each?(
    wrap: (member: TextToSpeech) => TextToSpeech,
    onFallback?: (error: StageError) => void,
  ): TextToSpeech;
}
