/** Plays events to turn-taking, on no clock at all. */
import { initialTurnState, type TurnEvent, type TurnOptions } from "../../src/turn/state.ts";
import { turn } from "../../src/turn/turn.ts";

type Unstamped<T> = T extends unknown ? Omit<T, "nowMs"> : never;
/** Something that happens, and when. */
export type Step = readonly [nowMs: number, event: Unstamped<TurnEvent>];

/** The defaults, without any lists of words. */
export const defaults: TurnOptions = {
  endpointing: { minDelayMs: 350, maxDelayMs: 3000 },
  interruption: { allowed: true, minDurationMs: 300, minWords: 0, falseAfterMs: 2000 },
  speculate: false,
};
/** The defaults with another interruption. */
export const withInterruption = (change: Partial<TurnOptions["interruption"]>): TurnOptions => ({
  ...defaults,
  interruption: { ...defaults.interruption, ...change },
});

/** Plays `steps`, waking the reducer whenever it asks to be, until 60 s; returns what it did and when. */
export function play(steps: readonly Step[], options = defaults): string[] {
  let state = initialTurnState;
  let wakeAtMs: number | undefined;
  const done: string[] = [];
  const take = (event: TurnEvent) => {
    const result = turn(state, event, options);
    state = result.state;
    wakeAtMs = result.wakeAtMs;
    for (const action of result.actions) {
      const details = action.type === "commit-turn"
        ? ` ${action.turnId} "${action.text}"${action.declined ? " declined" : ""}${
          action.prepared ? " prepared" : ""
        }`
        : action.type === "prepare-answer"
        ? ` ${action.turnId} "${action.text}"`
        : "replyId" in action
        ? ` ${action.replyId}`
        : "";
      done.push(`${event.nowMs} ${action.type}${details}`);
    }
  };
  const wakeUntil = (untilMs: number) => {
    while (wakeAtMs !== undefined && wakeAtMs < untilMs) take({ type: "wake", nowMs: wakeAtMs });
  };
  for (const [nowMs, event] of steps) {
    wakeUntil(nowMs);
    take({ ...event, nowMs } as TurnEvent);
  }
  wakeUntil(60_000);
  return done;
}

/** A mark of the voice detector. */
export const mark = (
  type: "speech-start" | "speech-pause" | "speech-resume" | "speech-end",
  atMs: number,
) => ({
  type,
  atMs,
});
/** Words that may still change. */
export const interim = (text: string) => ({ type: "transcript-interim", text }) as const;
/** Words that will not change any more. */
export const final = (text: string) => ({ type: "transcript-final", text }) as const;
/** What became of a reply. */
export const reply = (type: "reply-begun" | "reply-started" | "reply-ended", replyId: string) => ({
  type,
  replyId,
});

/** The user says `text` from 1,000 to 2,000 ms; the final comes 200 ms after the last voiced sample. */
export const utterance = (text: string): Step[] => [
  [1064, mark("speech-start", 1000)],
  [1800, interim(text)],
  [2040, mark("speech-pause", 2000)],
  [2200, final(text)],
  [2260, mark("speech-end", 2000)],
];
/** The agent says something from 1,000 ms on. */
export const speaking: Step[] = [[900, reply("reply-begun", "say-1")], [
  1000,
  reply("reply-started", "say-1"),
]];
