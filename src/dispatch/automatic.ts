/** Rooms that ask LiveKit for nobody by name: what a webhook would have sent to them. */
import type { Log } from "../log.ts";
import { decideArrival } from "./arrivals.ts";
import type { Dispatcher, DispatchRequest } from "./dispatcher.ts";
import type { RoomName, Rooms } from "./rooms.ts";

export interface AutomaticOptions {
  readonly presence: Dispatcher["presence"];
  readonly rooms: Pick<Rooms, "find">;
  /** The names in the registry. */
  readonly agents: readonly string[];
  /** The agent of rooms whose metadata names none. */
  readonly autoAgent: string | undefined;
  /** Rooms that others send agents to: nobody is sent there. */
  readonly isOthers?: ((room: string) => boolean) | undefined;
  readonly log: Log;
}

/** Decides from the room as it is; undefined: it is to have no agent, or has one. `isNew`: nobody was there before. */
export type Automatic = (
  room: RoomName,
  options: { readonly isNew: boolean },
) => Promise<DispatchRequest | undefined>;

export function automaticDispatches(
  { presence, rooms, isOthers, log, ...facts }: AutomaticOptions,
): Automatic {
  return async ({ name, sid: roomSid }, { isNew: started }) => {
    if (isOthers?.(name)) return undefined;
    const found = await rooms.find(name);
    if (!found) return undefined;
    presence.observe(found);
    await presence.settled(name);
    const endings = await presence.endings(found.sid);
    const visits = presence.visits.filter((visit) => visit.roomSid === found.sid);
    const decision = decideArrival(found, { ...facts, roomSid, started, visits, endings });
    if (decision.type === "send") {
      return { room: name, agent: decision.agent, metadata: found.metadata, found };
    }
    log.debug(
      { room: name, roomSid, decision: decision.type },
      "no agent sent, though LiveKit asked for one",
    );
    return undefined;
  };
}
