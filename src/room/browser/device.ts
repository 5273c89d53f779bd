/** A page's speaker as a device: what it holds is known from what the page says it has played. */
import type { AudioDevice } from "../../audio/playout.ts";
import type { Clock } from "../../clock.ts";
import { SPEAKER_FORMAT } from "./wire.ts";

/** How far a page has come, in samples of an epoch. */
export interface Position {
  readonly epoch: number;
  readonly samples: number;
}

export interface PageDevice extends AudioDevice {
  /** Counts the runs of audio; each discard begins a new one. */
  readonly epoch: number;
  /** Takes in what the page says it has played; `running` while it goes on playing. */
  report(position: Position, running: boolean): void;
  /** The page is gone for now: what it has played stands still. */
  halt(): void;
  /** Begins a new epoch with what the page has not played, for a socket that knows nothing of it yet. */
  replay(greet: () => void): void;
}

/** How long a page counts as playing on without a word from it, in milliseconds: it reports every 100. */
const UNREPORTED_MS = 300;
const SAMPLES_PER_MS = SPEAKER_FORMAT.sampleRate / 1000;

/** A device that hands samples to `play` and tells the page to forget them with `clear`. */
export function pageDevice({ clock, play, clear }: {
  readonly clock: Clock;
  readonly play: (samples: Int16Array<ArrayBuffer>) => void;
  readonly clear: (epoch: number) => void;
}): PageDevice {
  let epoch = 0;
  /** Samples of this epoch: handed over, and reported as played. */
  let pushed = 0;
  let reported = 0;
  /** When the page said that it was playing on; undefined when it is not. */
  let runningSinceMs: number | undefined;
  /** What was handed over and not reported as played; the first of it is sample `heldFrom`. */
  let held: Int16Array<ArrayBuffer>[] = [];
  let heldFrom = 0;

  const played = (): number => {
    if (runningSinceMs === undefined) return reported;
    const onMs = Math.min(clock.now() - runningSinceMs, UNREPORTED_MS);
    return Math.min(pushed, reported + Math.floor(onMs * SAMPLES_PER_MS));
  };
  const settle = (samples: number, sinceMs: number | undefined) => {
    reported = samples;
    runningSinceMs = sinceMs;
    for (let first = held[0]; first && heldFrom + first.length <= reported; first = held[0]) {
      heldFrom += first.length;
      held.shift();
    }
  };
  const begin = () => {
    epoch++;
    pushed = reported = heldFrom = 0;
    runningSinceMs = undefined;
    held = [];
  };
  const push = (samples: Int16Array<ArrayBuffer>) => {
    held.push(samples);
    pushed += samples.length;
    play(samples);
  };

  return {
    format: SPEAKER_FORMAT,
    push,
    clear() {
      begin();
      clear(epoch);
    },
    get queuedMs() {
      return (pushed - played()) / SAMPLES_PER_MS;
    },
    get epoch() {
      return epoch;
    },
    report(position, running) {
      if (position.epoch !== epoch) return; // of audio that was discarded since
      settle(Math.min(pushed, Math.max(reported, position.samples)), running ? clock.now() : undefined);
    },
    halt: () => settle(played(), undefined),
    replay(greet) {
      const skip = reported - heldFrom;
      const [first, ...others] = held;
      begin();
      greet();
      if (first) push(first.slice(skip));
      for (const samples of others) push(samples);
    },
  };
}
