/** When a call may go on in another process without anybody noticing. */
import type { TurnState } from "../turn/state.ts";
import { textOf } from "../turn/words.ts";

/** How a conversation stands. */
export interface Standing {
  readonly turn: Pick<TurnState, "user" | "words" | "agent" | "key">;
  /** Something is being said, or about to be. */
  readonly replying: boolean;
  /** Something waits to be said. */
  readonly waiting: boolean;
  /** A turn has no outcome, a tool is at work, or a task is under way. */
  readonly working: boolean;
  /** Clock milliseconds. */
  readonly nowMs: number;
}

/**
 * The user has been silent for so long by then, in milliseconds: who takes over hears what is not older, so that nothing is
 * heard twice, and nothing by nobody.
 */
export const silenceMs = 500;

/** Whether nobody speaks, and nothing is under way. */
export function isMoment({ turn, replying, waiting, working, nowMs }: Standing): boolean {
  const { user, words, agent, key } = turn;
  const isSilent = user.is === "silent" || (user.is === "stopped" && nowMs - user.lastVoicedMs >= silenceMs);
  return isSilent && textOf(words) === "" && agent.is === "silent" && key.is === "up" &&
    !replying && !waiting && !working;
}
