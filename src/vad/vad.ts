import type { AudioFormat, AudioFrame } from "../audio/frame.ts";

/**
 * The microphone with what the voice does marked in it. Marks stand before the audio they were found in; all times are
 * milliseconds of the session's clock, in terms of the frames' timestamps.
 *
 * `speech-start`: a voice was heard for the minimum of speech; `voicedMs` is the start of its first voiced window, `atMs`
 * the same less the prefix padding: audio from there on belongs to the speech.
 * `speech-pause`: the voice fell silent inside speech; `atMs` is the end of the last voiced window.
 * `speech-resume`: it came back before the silence was long enough to end the speech.
 * `speech-end`: the silence reached the minimum; `atMs` is again the end of the last voiced window.
 */
export type VoiceEvent =
  | { readonly type: "audio"; readonly frame: AudioFrame; readonly speech: boolean }
  | { readonly type: "speech-start"; readonly atMs: number; readonly voicedMs: number }
  | { readonly type: "speech-pause" | "speech-resume" | "speech-end"; readonly atMs: number };

export type VoiceMark = Exclude<VoiceEvent, { type: "audio" }>;

/** When a voice counts as speech. */
export interface VoiceOptions {
  /** Probability from which a window counts as voiced, 0–1 (default 0.5). */
  readonly activationThreshold?: number;
  /** Milliseconds of voice before `speech-start` (default 64: two windows). */
  readonly minSpeechMs?: number;
  /** Milliseconds of silence before `speech-end` (default 400). */
  readonly minSilenceMs?: number;
  /** Milliseconds before the first voiced window that belong to the speech all the same (default 100). */
  readonly prefixPaddingMs?: number;
}

/** Finds speech in a stream of audio. */
export interface VoiceActivityDetector {
  readonly model: string;
  /** The format `detect()` takes. */
  readonly input: AudioFormat;
  /**
   * One session's detector: frames pass through in order, marks are inserted. Frames may have any length. Errors the
   * stream with a StageError of stage "vad" when the model fails.
   */
  detect(options?: { readonly signal?: AbortSignal }): TransformStream<AudioFrame, VoiceEvent>;
}
