/** Whether a voice that was loud has just fallen silent, by its loudness alone: sooner than a detector can be sure of it. */
import type { AudioFrame } from "../audio/frame.ts";
import { rms } from "../audio/level.ts";

/** Quieter than this share of how loud the voice was lately counts as silent. */
const SILENT_SHARE = 0.08;
/** Silent for so long, in milliseconds: shorter gaps lie between the sounds of a word. */
const LEAST_MS = 20;
/** Loudness is measured over this much audio at a time, in milliseconds. */
export const PIECE_MS = 10;
/** What is known of the voice's loudness halves in this time, in milliseconds. */
const HALF_LIFE_MS = 450;

/** How loud each piece of a frame is (RMS), and how long. */
export function loudnessOf(
  { samples, sampleRate, channels }: AudioFrame,
): { readonly level: number; readonly ms: number }[] {
  const size = sampleRate * channels * PIECE_MS / 1000;
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, at) => {
    const piece = samples.subarray(at * size, (at + 1) * size);
    return { level: rms(piece), ms: piece.length / size * PIECE_MS };
  });
}

/** `fade`: it fell silent; `swell`: it is loud again. */
export type LoudnessChange = "fade" | "swell";

/**
 * Follows a microphone frame by frame. In noise as loud as the voice's weakest sounds it tells of nothing; in clear speech
 * it also tells of pauses between words. For what may be undone, such as getting ready to answer.
 */
export function followLoudness(): (frame: AudioFrame) => LoudnessChange | undefined {
  let peak = 0;
  let silentMs = 0;
  const take = (level: number, ms: number) => {
    peak = Math.max(level, peak * 0.5 ** (ms / HALF_LIFE_MS));
    silentMs = level < peak * SILENT_SHARE ? silentMs + ms : 0;
  };
  return (frame) => {
    const wasSilent = silentMs >= LEAST_MS;
    for (const { level, ms } of loudnessOf(frame)) take(level, ms);
    const isSilent = silentMs >= LEAST_MS;
    if (isSilent === wasSilent) return undefined;
    return isSilent ? "fade" : "swell";
  };
}
