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
  /** All that is owed to the user is text, to its end: another could say it. */
  readonly written: boolean;
  /** Clock milliseconds. */
  readonly nowMs: number;
}

/**
 * The user has been silent for so long by then, in milliseconds: who takes over hears what is not older, so that nothing is
 * heard twice, and nothing by nobody.
 */
export const silenceMs = 500;

/** Whether nobody speaks, and nothing is under way. */
export function isMoment(standing: Standing): boolean {
  const { turn: { agent }, replying, waiting, working } = standing;
  return listens(standing) && agent.is === "silent" && !replying && !waiting && !working;
}

/** Whether the agent alone speaks, and another could say what is next. */
export function canSayOn(standing: Standing): boolean {
  return listens(standing) && standing.turn.agent.is === "speaking" && standing.written;
}

/** The user is silent, and nothing of theirs is to be answered. */
function listens({ turn: { user, words, key }, nowMs }: Standing): boolean {
  const isSilent = user.is === "silent" || (user.is === "stopped" && nowMs - user.lastVoicedMs >= silenceMs);
  return isSilent && textOf(words) === "" && key.is === "up";
}
