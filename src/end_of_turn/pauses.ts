/** Asks a detector at each pause of the voice whether the turn is over, with the sound of the turn so far. */
import { type AudioFrame, durationMs, joined } from "../audio/frame.ts";
import { asStageError, type StageError } from "../errors.ts";
import type { AudioTurnDetector } from "../turn/end_of_turn.ts";
import type { VoiceMark } from "../vad/vad.ts";

/** What is heard before the first voiced window of a turn belongs to it, in milliseconds. */
const BEFORE_MS = 300;
/** A detector that failed so many times in a row is not asked again in this session. */
const MOST_FAILURES = 3;

export interface PauseJudge {
  /** Takes in the microphone, frame by frame; it keeps no more than the detector's window. */
  hear(frame: AudioFrame): void;
  /** Takes in what the voice does, before the frame it was found in. */
  mark(mark: VoiceMark): void;
  /** The turn was committed: what was said before is no part of the next. */
  turnEnded(): void;
}

/**
 * Judges the pauses of one session. `onAnswer` is told the probability that the turn was over when the voice fell silent
 * at `atMs`, unless the voice has come back by then. Failures go to `onError`, and the session goes on without.
 */
export function judgePauses(
  detector: AudioTurnDetector,
  { onAnswer, onError, signal }: {
    readonly onAnswer: (answer: { readonly atMs: number; readonly probability: number }) => void;
    readonly onError: (error: StageError) => void;
    readonly signal: AbortSignal;
  },
): PauseJudge {
  const frames: AudioFrame[] = [];
  let keptMs = 0;
  let speaking = false;
  /** The pause that is to be judged as soon as enough of its silence was heard. */
  let pausedMs: number | undefined;
  let asked: AbortController | undefined;
  let failures = 0;

  /** Drops what is not needed: all but the window, or but what may come before the next words. */
  const trim = (toMs: number) => {
    for (let first = frames[0]; first && keptMs - durationMs(first) >= toMs; first = frames[0]) {
      keptMs -= durationMs(first);
      frames.shift();
    }
  };
  const forget = () => {
    pausedMs = undefined;
    asked?.abort();
    asked = undefined;
  };
  const ask = async (atMs: number) => {
    const own = asked = new AbortController();
    const cut = AbortSignal.any([signal, own.signal]);
    try {
      const probability = await detector.endOfTurn(joined(frames), { signal: cut });
      failures = 0;
      if (!cut.aborted) onAnswer({ atMs, probability });
    } catch (error) {
      if (cut.aborted) return;
      failures++;
      onError(asStageError("turn", error));
    }
  };

  let inTurn = false;
  return {
    hear(frame) {
      frames.push(frame);
      keptMs += durationMs(frame);
      trim(inTurn ? detector.windowMs : BEFORE_MS);
      const endMs = frame.timestampMs + durationMs(frame);
      if (pausedMs === undefined || endMs < pausedMs + detector.silenceMs || failures >= MOST_FAILURES) {
        return;
      }
      const atMs = pausedMs;
      pausedMs = undefined;
      void ask(atMs);
    },
    mark(mark) {
      switch (mark.type) {
        case "speech-start":
        case "speech-resume":
          speaking = inTurn = true;
          return forget();
        case "speech-pause":
          forget();
          pausedMs = mark.atMs;
          return;
        case "speech-end":
          speaking = false;
      }
    },
    turnEnded() {
      inTurn = speaking;
      if (!speaking) forget();
    },
  };
}
