/** What an agent sees, as its author says it. */

/** How the agent looks at the participant's camera and screen; it needs `autoSubscribe: "all"`. */
export interface VideoOptions {
  /** Whether pictures are put into the user's turns (default false: the agent sees only what it looks at). */
  readonly sample?: boolean;
  /** Milliseconds from one such picture to the next while the user speaks (default 1000). */
  readonly speakingEveryMs?: number;
  /** The same while they do not (default 3000). */
  readonly otherwiseEveryMs?: number;
  /** How many pictures a turn may have, and how many the history keeps: the newest (default 3). */
  readonly keep?: number;
  /** The longer side of a picture, in pixels, at most (default 1024). */
  readonly longestSide?: number;
}

/** What holds where the agent does not say otherwise. */
export const videoDefaults = {
  speakingEveryMs: 1_000,
  otherwiseEveryMs: 3_000,
  keep: 3,
  longestSide: 1_024,
} as const;

/** What is wrong with an agent's `video`, if anything is. */
export function problemOfVideo(
  { video = {}, autoSubscribe }: { readonly video?: VideoOptions; readonly autoSubscribe?: "audio" | "all" },
): string | undefined {
  const { speakingEveryMs, otherwiseEveryMs, keep, longestSide } = { ...videoDefaults, ...video };
  if (video.sample && autoSubscribe !== "all") {
    return '`video.sample` is true, but no video is received; expected `autoSubscribe: "all"` with it';
  }
  if (!(speakingEveryMs >= 100 && otherwiseEveryMs >= 100)) {
    return `video.speakingEveryMs is ${speakingEveryMs}, video.otherwiseEveryMs ${otherwiseEveryMs}; expected milliseconds, at least 100`;
  }
  if (!(Number.isInteger(keep) && keep >= 1)) {
    return `video.keep is ${keep}; expected a whole number, at least 1`;
  }
  if (!(longestSide >= 16 && longestSide <= 4_096)) {
    return `video.longestSide is ${longestSide}; expected pixels, 16 to 4096`;
  }
  return undefined;
}
