/** What one session sees of its participant: when it looks, and pictures for the user's turns. */
import type { Clock } from "../clock.ts";
import { asStageError, type StageError } from "../errors.ts";
import type { SessionEventBody } from "../events.ts";
import type { ImagePart } from "../llm/llm.ts";
import type { RoomVideo, VideoSource } from "../room/room.ts";
import { jpegOf } from "./jpeg.ts";
import { videoDefaults, type VideoOptions } from "./options.ts";

/** What is looked at. */
export interface LookOptions {
  /** Default: the screen while it is shared, else the camera. */
  readonly source?: VideoSource | undefined;
  /** Gives up looking. */
  readonly signal?: AbortSignal;
}

export interface SightOptions {
  /** What the participant shows; missing where nothing is received of it. */
  readonly video: RoomVideo | undefined;
  /** What the agent says that is in charge now. */
  readonly options: () => VideoOptions | undefined;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Told when pictures for the turns begin to fail. */
  readonly onError: (error: StageError) => void;
}

export interface Sight {
  /** The newest picture; undefined when nothing is shown. */
  look(options?: LookOptions): Promise<ImagePart | undefined>;
  /** What was seen since the last turn: the newest pictures, in order. */
  readonly seen: readonly ImagePart[];
  /** Begins to look for the next turn. */
  turnEnded(): void;
  /** Told what happens in the session: whether the user speaks. */
  note(event: SessionEventBody): void;
}

/** Looks at nothing until it is asked to, or the agent in charge wants pictures in the turns. */
export function createSight({ video, options, clock, signal, onError }: SightOptions): Sight {
  const settings = () => ({ ...videoDefaults, ...options() });
  let seen: readonly ImagePart[] = [];
  let speaking = false;
  let timer: Disposable | undefined;
  let sampling = false;
  let lastMs = -Infinity;
  let failing = false;

  const look: Sight["look"] = async ({ source, signal: own } = {}) => {
    const either = own ? AbortSignal.any([own, signal]) : signal;
    const frame = await video?.frame({ source, signal: either });
    return frame && await jpegOf(frame, settings());
  };

  const sample = async () => {
    if (!settings().sample) return; // whoever is in charge now does not want it
    lastMs = clock.now();
    sampling = true;
    try {
      const picture = await look();
      if (picture) seen = [...seen, picture].slice(-settings().keep);
      failing = false;
    } catch (error) {
      if (!signal.aborted && !failing) onError(asStageError("room", error));
      failing = true;
    }
    sampling = false;
    schedule();
  };
  const schedule = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    const { sample: wanted, speakingEveryMs, otherwiseEveryMs } = settings();
    if (!wanted || !video || sampling || signal.aborted) return;
    const dueMs = lastMs + (speaking ? speakingEveryMs : otherwiseEveryMs);
    timer = clock.after(Math.max(0, dueMs - clock.now()), () => void sample());
  };
  signal.addEventListener("abort", () => timer?.[Symbol.dispose](), { once: true });

  return {
    look,
    get seen() {
      return seen;
    },
    turnEnded() {
      seen = [];
    },
    note({ type }) {
      if (type === "user-started-speaking") speaking = true;
      else if (type === "user-stopped-speaking") speaking = false;
      else if (type !== "state-changed") return; // whoever has taken over may look otherwise
      schedule();
    },
  };
}
