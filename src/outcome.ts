/** What came of a committed turn. */
import type { ReplyLatency, TurnOutcome } from "./events.ts";
import type { CommittedTurn, Job } from "./replies.ts";
import type { ReplyResult } from "./reply.ts";

/** The turn that a reply answers; undefined when it answers none, or none yet. */
export const turnOf = ({ answers }: Pick<Job, "answers">): CommittedTurn | undefined =>
  answers === "none yet" ? undefined : answers;

/** How the turn ended whose reply ended like this. */
export function outcomeOf({ text, interrupted, error }: ReplyResult, sessionEnded: boolean): TurnOutcome {
  if (error) return "failed";
  if (!interrupted) return "answered";
  return text === "" && !sessionEnded ? "superseded" : "interrupted";
}

/**
 * Where the time went from the user's last voiced sample to the reply's first one, which was played at `nowMs` (clock
 * milliseconds); that for which it was kept back is a part of its own.
 */
export function latencySince(
  { waited, committedMs }: CommittedTurn,
  latency: ReplyLatency,
  nowMs: number,
): ReplyLatency {
  const heldMs = Math.max(0, nowMs - committedMs - latency.totalMs);
  const totalMs = waited.endpointingMs + heldMs + latency.totalMs;
  return { ...waited, ...(heldMs >= 1 && { heldMs }), ...latency, totalMs };
}
