/** What is remembered of sessions that have ended, so that late news of their rooms revives none of them. */
import type { Clock } from "../clock.ts";
import type { CloseReason } from "../events.ts";

/** A session that was in a room. */
export interface Tombstone {
  readonly agent: string;
  readonly reason: CloseReason;
  /** The SIDs of whoever else was there when it ended: who has another came afterwards. */
  readonly witnesses: ReadonlySet<string>;
}

export interface Tombstones {
  /** Remembers the end of a session in the room of that SID, in place of what was known of one with the same agent. */
  put(roomSid: string, tombstone: Tombstone): void;
  /** Forgets it: the agent was sent there again. */
  clear(roomSid: string, agent: string): void;
  /** Those of the room of that SID. */
  of(roomSid: string): readonly Tombstone[];
}

/** How many are kept; the oldest are forgotten first. */
const limit = 2_000;
/** For how long: LiveKit's own webhooks are valid for 5 minutes, but people stay in rooms. */
export const tombstoneMs = 6 * 60 * 60_000;

export function createTombstones({ clock }: { readonly clock: Clock }): Tombstones {
  /** In the order of their times. */
  const all = new Map<
    string,
    { readonly roomSid: string; readonly tombstone: Tombstone; readonly atMs: number }
  >();
  const keyOf = (roomSid: string, agent: string) => JSON.stringify([roomSid, agent]);
  const forget = () => {
    for (const [key, { atMs }] of all) {
      if (all.size <= limit && clock.now() - atMs < tombstoneMs) return;
      all.delete(key);
    }
  };
  return {
    put(roomSid, tombstone) {
      const key = keyOf(roomSid, tombstone.agent);
      all.delete(key); // to go to the end
      all.set(key, { roomSid, tombstone, atMs: clock.now() });
      forget();
    },
    clear: (roomSid, agent) => void all.delete(keyOf(roomSid, agent)),
    of(roomSid) {
      forget();
      return [...all.values()].filter((one) => one.roomSid === roomSid).map(({ tombstone }) => tombstone);
    },
  };
}
