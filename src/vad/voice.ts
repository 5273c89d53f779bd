/** Turns the probabilities of single windows into speech: where it starts, pauses, goes on and ends. */
import type { VoiceMark, VoiceOptions } from "./vad.ts";

/** One window of audio with the model's opinion of it; times are milliseconds of the session's clock. */
export interface VoiceWindow {
  /** That it holds a voice, 0–1. */
  readonly probability: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Where a stream stands between two windows. */
export type VoiceState =
  /** No voice. `sinceMs`: where the speech before ended. */
  | { readonly type: "silent"; readonly sinceMs: number }
  /** A voice, too short yet to be speech. */
  | { readonly type: "starting"; readonly sinceMs: number; readonly startMs: number }
  | { readonly type: "speaking"; readonly voicedUntilMs: number }
  /** Inside speech, but no voice at present. */
  | { readonly type: "paused"; readonly voicedUntilMs: number };

/** Before the first window. */
export const SILENT: VoiceState = { type: "silent", sinceMs: -Infinity };

/**
 * A voice that was there stays down to this much below the activation threshold, so that a word is not torn where its
 * probability wavers. The value is the one of the Silero project's own iterator:
 * https://github.com/snakers4/silero-vad/blob/master/src/silero_vad/utils_vad.py
 */
const HYSTERESIS = 0.15;
const LOWEST_THRESHOLD = 0.01;

/**
 * Takes one window into account: the state after it and the marks it brings, at most two. The minimums are met to the
 * nearest window: a time between windows is not known, and timestamps jitter.
 */
export function voice(
  state: VoiceState,
  window: VoiceWindow,
  options: Required<VoiceOptions>,
): { readonly state: VoiceState; readonly marks: readonly VoiceMark[] } {
  const { activationThreshold, minSpeechMs, minSilenceMs, prefixPaddingMs } = options;
  const wasVoiced = state.type === "starting" || state.type === "speaking";
  const threshold = wasVoiced
    ? Math.max(activationThreshold - HYSTERESIS, LOWEST_THRESHOLD)
    : activationThreshold;
  const voiced = window.probability >= threshold;
  const halfMs = (window.endMs - window.startMs) / 2;
  const speaking: VoiceState = { type: "speaking", voicedUntilMs: window.endMs };

  switch (state.type) {
    case "silent":
    case "starting": {
      const { sinceMs } = state;
      if (!voiced) return { state: { type: "silent", sinceMs }, marks: [] };
      const startMs = state.type === "starting" ? state.startMs : window.startMs;
      if (window.endMs - startMs < minSpeechMs - halfMs) {
        return { state: { type: "starting", sinceMs, startMs }, marks: [] };
      }
      const atMs = Math.max(startMs - prefixPaddingMs, sinceMs);
      return { state: speaking, marks: [{ type: "speech-start", atMs, voicedMs: startMs }] };
    }
    case "speaking":
    case "paused": {
      if (voiced) {
        const marks: VoiceMark[] = state.type === "paused"
          ? [{ type: "speech-resume", atMs: window.startMs }]
          : [];
        return { state: speaking, marks };
      }
      const atMs = state.voicedUntilMs;
      const marks: VoiceMark[] = state.type === "speaking" ? [{ type: "speech-pause", atMs }] : [];
      if (window.endMs - atMs < minSilenceMs - halfMs) {
        return { state: { type: "paused", voicedUntilMs: atMs }, marks };
      }
      return { state: { type: "silent", sinceMs: atMs }, marks: [...marks, { type: "speech-end", atMs }] };
    }
  }
}

/** The state after audio was lost: a voice too short yet to be speech cannot be joined to what follows. */
export function afterGap(state: VoiceState): VoiceState {
  return state.type === "starting" ? { type: "silent", sinceMs: state.sinceMs } : state;
}

/** Whether the stream is inside speech, pauses included. */
export function isSpeech(state: VoiceState): boolean {
  return state.type === "speaking" || state.type === "paused";
}
