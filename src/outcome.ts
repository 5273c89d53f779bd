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
 * Where the time went from the user's last voiced sample to the reply's first one, which was played at `playedMs` (clock
 * milliseconds); that for which it was kept back is a part of its own, where it is a millisecond or more.
 */
export function latencySince(
  { waited, committedMs }: CommittedTurn,
  latency: ReplyLatency,
  playedMs: number,
): ReplyLatency {
  const letGoMs = playedMs - latency.totalMs - committedMs;
  const heldMs = letGoMs >= 1 ? letGoMs : 0;
  const totalMs = waited.endpointingMs + heldMs + latency.totalMs;
  return { ...waited, ...(heldMs > 0 && { heldMs }), ...latency, totalMs };
}
