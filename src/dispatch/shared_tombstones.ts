/** What several processes remember of sessions that have ended. */
import * as z from "zod";
import type { CloseReason } from "../events.ts";
import type { Fence, Store } from "./store/store.ts";
import { type Tombstone, tombstoneMs } from "./tombstones.ts";

/** A session that was in a room, by its id. */
export interface SharedTombstone extends Tombstone {
  readonly sessionId: string;
}

/** Each method rejects with a StoreError. */
export interface SharedTombstones {
  /** Remembers it, unless somebody else has the room by now. */
  put(roomSid: string, tombstone: SharedTombstone, fence: Fence): Promise<void>;
  /** Forgets it: the agent was sent there again. */
  clear(roomSid: string, agent: string): Promise<void>;
  /** Those of the room of that SID. */
  of(roomSid: string): Promise<readonly SharedTombstone[]>;
}

const written = z.object({
  sessionId: z.string(),
  agent: z.string(),
  reason: z.custom<CloseReason>((value) => typeof value === "string"),
  witnesses: z.array(z.string()).transform((sids): ReadonlySet<string> => new Set(sids)),
});

/** `agents`: whose there can be. */
export function createSharedTombstones(
  { store, agents }: { readonly store: Store; readonly agents: readonly string[] },
): SharedTombstones {
  const keyOf = (roomSid: string, agent: string) => `ended:${JSON.stringify([roomSid, agent])}`;
  return {
    async put(roomSid, tombstone, fence) {
      const value = JSON.stringify({ ...tombstone, witnesses: [...tombstone.witnesses] });
      await store.set(keyOf(roomSid, tombstone.agent), value, { ttlMs: tombstoneMs, fence });
    },
    async clear(roomSid, agent) {
      await store.delete(keyOf(roomSid, agent));
    },
    async of(roomSid) {
      const values = await Promise.all(agents.map((agent) => store.get(keyOf(roomSid, agent))));
      return values.flatMap((value) => value === undefined ? [] : [written.parse(JSON.parse(value))]);
    },
  };
}
