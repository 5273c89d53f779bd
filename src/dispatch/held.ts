/** What the claim of a room tells other processes of the session that holds it. */
import * as z from "zod";
import type { DispatchedSession } from "./dispatcher.ts";
import type { Place } from "./places.ts";

/** A session, and for whom it is. */
export interface HeldSession extends DispatchedSession {
  /** What the dispatch carried. */
  readonly metadata: string;
  /** The identity of whom it was asked for. */
  readonly participant?: string;
  /** Where the room asked for it itself: the identities of those it talks with, or before it does of those who were there. */
  readonly callers?: readonly string[];
}

/**
 * `undecided`: whoever has taken the claim has yet to see whether another's session is in the room, and lives. `offered`: it
 * is left to that session; held without that, it is of whoever goes on with the session. `holder`: who has taken
 * it, and knows it for their own also when they were not told.
 */
export type Claimed = HeldSession & {
  readonly undecided?: true;
  readonly offered?: true;
  readonly holder?: string;
};

const claimed: z.ZodType<Claimed> = z.object({
  sessionId: z.string(),
  room: z.string(),
  agent: z.string(),
  state: z.enum(["connecting", "connected"]),
  metadata: z.string(),
  participant: z.string().exactOptional(),
  callers: z.array(z.string()).exactOptional(),
  undecided: z.literal(true).exactOptional(),
  offered: z.literal(true).exactOptional(),
  holder: z.string().exactOptional(),
});

/** Reads what a claim tells; throws a ZodError when another version of Repartee wrote it otherwise. */
export const readClaimed = (text: string): Claimed => claimed.parse(JSON.parse(text));

/** The session of a place, as others are told of it. */
export function heldBy(
  { request, found, room, state }: Pick<Place, "request" | "found" | "room" | "state">,
): HeldSession {
  const there = room?.participant
    ? [room.participant]
    : found?.participants.filter(({ canTalk }) => canTalk) ?? [];
  const { id, roomName, agentName, metadata, participant } = request;
  return {
    sessionId: id,
    room: roomName,
    agent: agentName,
    state,
    metadata,
    ...(participant !== undefined && { participant }),
    ...(found && { callers: there.map(({ identity }) => identity) }),
  };
}

/** What somebody wants of the session in a room. */
export interface Wishes {
  readonly metadata?: string;
  readonly participant?: string;
  /** The room as it was read, where it asks itself. */
  readonly found?: unknown;
}

/** Whether that session is what is asked for; where a room asked for it itself, whoever has no other wishes agrees. */
export function suits(held: HeldSession, { found, metadata = "", participant }: Wishes): boolean {
  if (found) return true;
  const { callers } = held;
  if (!callers) return held.metadata === metadata && held.participant === participant;
  return (metadata === "" || held.metadata === metadata) &&
    (participant === undefined ||
      callers.length > 0 && callers.every((identity) => identity === participant));
}
