/** Where a voice pauses. */
import { type AudioFrame, samplesIn } from "./frame.ts";
import { rms } from "./level.ts";

/** Loudness is measured over this much audio at a time. */
const PIECE_MS = 10;
/** Quieter than this share of the voice's loudest piece counts as a pause. */
const SILENT_SHARE = 0.05;
/** So much of the pause is heard before it counts as one. */
const BEGUN_MS = 20;

export interface PauseFinder {
  /** Takes what the voice says next. */
  take(frame: AudioFrame): void;
  /** When the longest pause between two moments has begun, of the voice's milliseconds; undefined when none is that long. */
  between(fromMs: number, untilMs: number, leastMs: number): number | undefined;
}

export function pauseFinder(): PauseFinder {
  const levels: number[] = [];
  let peak = 0;
  /** Less than a piece. */
  let rest = new Int16Array(0);
  return {
    take({ samples, sampleRate, channels }) {
      const size = samplesIn(PIECE_MS, { sampleRate, channels });
      const all = new Int16Array(rest.length + samples.length);
      all.set(rest);
      all.set(samples, rest.length);
      let at = 0;
      for (; at + size <= all.length; at += size) {
        const level = rms(all.subarray(at, at + size));
        peak = Math.max(peak, level);
        levels.push(level);
      }
      rest = all.slice(at);
    },
    between(fromMs, untilMs, leastMs) {
      const first = Math.max(0, Math.floor(fromMs / PIECE_MS));
      const last = Math.min(levels.length, Math.ceil(untilMs / PIECE_MS));
      let longest = { at: 0, length: 0 };
      for (let at = first, length = 0; at < last; at++) {
        length = (levels[at] ?? 0) <= peak * SILENT_SHARE ? length + 1 : 0;
        if (length > longest.length) longest = { at: at + 1 - length, length };
      }
      return longest.length * PIECE_MS < leastMs ? undefined : longest.at * PIECE_MS + BEGUN_MS;
    },
  };
}
