import type { AudioFormat } from "../audio/frame.ts";
import type { VoiceEvent } from "../vad/vad.ts";

/** One word of a transcript; times are milliseconds from the first audio that was sent. */
export interface TranscriptWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence?: number;
}

/**
 * What a recognizer is given: the voice, and in it, after all the audio that it is about, now and then a request for the
 * final words of what was said by then. One that cannot be asked does nothing about that. `dictated`: the user was asked
 * for a number, an address or a date; one that ends turns by itself should wait longer in their pauses.
 */
export type SpeechInput =
  | Exclude<VoiceEvent, SpeechStart>
  | SpeechStart & { readonly dictated?: true }
  | { readonly type: "finalize" };

type SpeechStart = Extract<VoiceEvent, { type: "speech-start" }>;

/**
 * What a recognizer makes of the audio, one utterance after another.
 *
 * `interim`: the whole utterance so far, replacing the interim before it; an empty text says that the recognizer is
 * alive and has heard no words. `final`: the whole utterance, never changed again; never empty. The next event begins
 * the next utterance.
 */
export type TranscriptEvent =
  | {
    readonly type: "interim";
    readonly text: string;
    /** 0–1. */
    readonly confidence?: number;
    /** It is likely that the turn is over with these words: said again with each interim, for as long as it is. */
    readonly eager?: true;
    /** There were no words left of what was said until it was asked for them. */
    readonly asked?: true;
  }
  | {
    readonly type: "final";
    readonly text: string;
    /** 0–1. */
    readonly confidence?: number;
    /** BCP 47, where the recognizer says. */
    readonly language?: string;
    readonly words?: readonly TranscriptWord[];
    /** When the last of them ended in the audio (clock milliseconds): `reconnecting()` says so where they have times. */
    readonly untilMs?: number;
    /** The recognizer heard the silence that it takes for the end of the turn. */
    readonly endOfTurn?: true;
    /** Not just a silence makes it think so, but what was said and how. */
    readonly judged?: true;
    /** It has all the words of what was said until it was asked for them. */
    readonly asked?: true;
  };

/** A speech recognizer. */
export interface SpeechToText {
  readonly provider: string;
  readonly model: string;
  /** The words come from elsewhere, such as the participant's own device: nothing is to be expected of it. */
  readonly elsewhere?: true;
  /** It sends not just what it takes, and tells `onSent` of it. */
  readonly countsSent?: true;
  /** The format of the audio `transcribe()` takes. */
  readonly input: AudioFormat;
  /**
   * Transcribes one session's audio for as long as `voice` lasts. The marks in `voice` may be used (to finalize early)
   * or ignored. The result closes when `voice` ends and the last words came; a failure errors it with a StageError of
   * stage "stt", and then nothing reconnects: that is what `reconnecting()` is for. Aborting `signal` closes the socket.
   */
  transcribe(
    voice: ReadableStream<SpeechInput>,
    options: {
      readonly signal: AbortSignal;
      /** Told of the audio that was sent to the provider, in milliseconds, by a recognizer that `countsSent`. */
      readonly onSent?: (audioMs: number) => void;
    },
  ): ReadableStream<TranscriptEvent>;
  /**
   * Keeps a connection to its server open until `signal` aborts, so that no request waits for a handshake. Absent where
   * there is nothing to keep.
   */
  connect?(options: { readonly signal: AbortSignal }): void;
  /** Of one that is made of several: the same, each of them wrapped. */
  each?(wrap: (member: SpeechToText) => SpeechToText): SpeechToText;
}
