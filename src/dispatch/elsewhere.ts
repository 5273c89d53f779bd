/** The sessions that other processes have which share the store. */
import type { HeldSession } from "./held.ts";
import type { Leases } from "./leases.ts";
import type { Rooms } from "./rooms.ts";

/** Those that go on in the room of that name. Rejects with a StoreError, or as `Rooms` does. */
export type SessionsElsewhere = (room: string) => Promise<readonly HeldSession[]>;

/** Finds them by their claims. `isHere`: whether this process knows a session. */
export function sessionsElsewhere({ rooms, leases, isHere }: {
  readonly rooms: Pick<Rooms, "find">;
  readonly leases: Pick<Leases, "of">;
  readonly isHere: (sessionId: string) => boolean;
}): SessionsElsewhere {
  return async (name) => {
    const room = await rooms.find(name);
    if (!room) return [];
    return (await leases.of(room.sid)).filter(({ sessionId }) => !isHere(sessionId));
  };
}
