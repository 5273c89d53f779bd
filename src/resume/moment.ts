/** When a call may go on in another process without anybody noticing. */
import { wordlessMs } from "../last_words.ts";
import type { TurnState } from "../turn/state.ts";
import { textOf } from "../turn/words.ts";

/** How a conversation stands. */
export interface Standing {
  readonly turn: Pick<TurnState, "user" | "words" | "agent" | "key" | "gaveWay" | "voicedUntilMs">;
  /** Something is being said, or about to be. */
  readonly replying: boolean;
  /** An answer is being made to a turn that may not be over. */
  readonly prepared: boolean;
  /** Something waits to be said. */
  readonly waiting: boolean;
  /** A turn has no outcome, a tool is at work, or a task is under way. */
  readonly working: boolean;
  /** All that is owed to the user is text, to its end: another could say it. */
  readonly written: boolean;
  /** The agent answers to the user's voice, and not to their words. */
  readonly byVoice: boolean;
  /** Until when the user's voice was heard, and the time; clock milliseconds. */
  readonly heardMs: number;
  readonly nowMs: number;
}

/**
 * The user has been silent for so long by then, in milliseconds: who takes over hears what is not older, so that nothing is
 * heard twice, and nothing by nobody.
 */
export const silenceMs = 500;
/** What of the user's voice was not heard yet is no longer, in milliseconds: who waits to take over keeps the last 4 s. */
const latestMs = 1_000;

/**
 * What the user has said after their last final words is so young, in milliseconds: who waits to take over keeps the last 4 s
 * of their voice, and hears it from there.
 */
const unwrittenMs = 1_000;

/** Whether nobody speaks, and nothing is under way. */
export const isMoment = (standing: Standing): boolean =>
  listens(standing) && isIdle(standing) && !standing.prepared;

/** What the user has said of the turn that they are at, and when that ended, where another could hear them go on. */
export function begunTurn(standing: Standing): { readonly text: string; readonly agoMs: number } | undefined {
  const { turn: { user, words: { final: text, interim, untilMs }, key }, byVoice, nowMs } = standing;
  if (!isIdle(standing) || byVoice || key.is !== "up" || user.is !== "speaking") return undefined;
  if (text === "" || interim !== "" || untilMs === undefined) return undefined;
  const agoMs = nowMs - untilMs;
  return agoMs <= unwrittenMs ? { text, agoMs } : undefined;
}

/** Whether the agent alone speaks, and another could say what is next. */
export function canSayOn(standing: Standing): boolean {
  return listens(standing) && standing.turn.agent.is === "speaking" && standing.written;
}

/** The agent says and does nothing. */
const isIdle = ({ turn: { agent }, replying, waiting, working }: Standing): boolean =>
  agent.is === "silent" && !replying && !waiting && !working;

/** The user is silent as far as they were heard, which is nearly to the end, and nothing of theirs is to be answered. */
function listens({ turn: { user, words, key, gaveWay, voicedUntilMs }, heardMs, nowMs }: Standing): boolean {
  if (user.is === "speaking" || user.is === "pausing" || nowMs - heardMs > latestMs) return false;
  const isSilent = user.is === "silent"
    ? heardMs - (voicedUntilMs ?? -Infinity) >= silenceMs
    : heardMs - user.lastVoicedMs >= wordlessMs;
  return isSilent && textOf(words) === "" && !gaveWay && key.is === "up";
}
