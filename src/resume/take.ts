/** The snapshot of a session. */
import type { Call } from "../call.ts";
import type { Charge } from "../charge.ts";
import type { Log } from "../log.ts";
import type { Spending } from "../spending.ts";
import type { SessionSnapshot } from "./snapshot.ts";

export interface TakerOptions {
  readonly sessionId: string;
  readonly charge: Pick<Charge, "current">;
  readonly spending: Pick<Spending, "spentUsd">;
  /** The identity to talk with, where that was said beforehand. */
  readonly participant?: string | undefined;
  readonly log: Log;
}

/** What takes snapshots of `call`; userdata that is no JSON is left out, and said so once. */
export function createTaker(
  { sessionId, charge, spending, participant: wanted, log }: TakerOptions,
): (call: Call, userdata: unknown) => SessionSnapshot {
  let isTold = false;
  const jsonOf = (userdata: unknown): Pick<SessionSnapshot, "userdata"> => {
    const problem = problemOfJson(userdata, "userdata");
    if (problem === undefined) return userdata === undefined ? {} : { userdata: userdata as Json };
    if (!isTold) log.warn({ problem }, "the session's userdata is no JSON: after a fault it is not there");
    isTold = true;
    return {};
  };
  return ({ conversation, room, talkingSinceMs, presence }, userdata) => {
    const participant = room.participant?.identity ?? wanted;
    return {
      version: 1,
      sessionId,
      inCharge: charge.current.agentName,
      elapsedMs: conversation.history.elapsedMs,
      ...(talkingSinceMs !== undefined && { talkingSinceMs }),
      ...(presence && { presence }),
      ...(participant !== undefined && { participant }),
      ...jsonOf(userdata),
      spentUsd: spending.spentUsd,
      ...conversation.resumption.take(),
    };
  };
}

type Json = NonNullable<SessionSnapshot["userdata"]>;

/** What of `value` JSON would lose, in words; undefined when nothing. `seen`: what it lies in. */
export function problemOfJson(
  value: unknown,
  path: string,
  seen: readonly object[] = [],
): string | undefined {
  if (value === undefined || value === null || typeof value === "string" || typeof value === "boolean") {
    return undefined;
  }
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== "object") return `${path} is a ${typeof value}`;
  if (seen.includes(value)) return `${path} holds itself`;
  const within = [...seen, value];
  const entries = Object.entries(value);
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!isPlain) return `${path} is a ${value.constructor.name}`;
  for (const [key, one] of entries) {
    const problem = problemOfJson(one, `${path}.${key}`, within);
    if (problem) return problem;
  }
  return undefined;
}
