/** Which session is in which room, by the room's SID, and which was. */
import type { Clock } from "../clock.ts";
import type { CloseReason } from "../events.ts";
import type { Room } from "../room/room.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { DispatchedSession, SessionRequest } from "./dispatcher.ts";
import type { RoomNow } from "./rooms.ts";
import { createTombstones, type Tombstone } from "./tombstones.ts";

/** A room and an agent, and the session that holds them. */
export interface Place {
  readonly request: SessionRequest;
  /** The room as it was read, when it asked for the agent itself. */
  readonly found: RoomNow | undefined;
  readonly session: VoiceSession;
  /** See RunningSession. */
  readonly dismiss: () => Promise<void>;
  /** Offers the session to other processes until `signal` aborts; missing where there can be none. Never rejects. */
  readonly handOver?:
    | ((options: { readonly waitMs: number; readonly signal: AbortSignal }) => Promise<void>)
    | undefined;
  /** The room's SID; after LiveKit restarted, an agent that has joined again is in another room of the same name. */
  roomSid: string;
  /** Once it was joined. */
  room: Room | undefined;
  state: DispatchedSession["state"];
  /** Settles when the agent is in the room; or with the reason why it is not, once the place is free again. */
  readonly arrival: Promise<Arrival>;
  /** Settles when the session has ended and the place is free again. */
  readonly ended: Promise<void>;
}

/** `replaced`: the agent came into a later room of the same name, and left it. */
export type Arrival =
  | { readonly type: "joined" }
  | { readonly type: "failed"; readonly reason: string; readonly replaced: boolean };

/** A session in a LiveKit room, as those see it who follow what happens there. */
export interface Visit {
  readonly sessionId: string;
  readonly agent: string;
  readonly room: string;
  readonly roomSid: string;
  /** The agent's own identity; undefined before it has joined. */
  readonly identity: string | undefined;
  /** The identity of the participant it talks with, once there is one. */
  readonly participant: string | undefined;
  /** It has nobody left to talk with, or has ended, and holds the room no longer. */
  readonly ending: boolean;
  readonly session: Pick<VoiceSession, "close" | "done">;
}

export interface Places {
  readonly size: number;
  readonly all: readonly Place[];
  add(place: Place): void;
  /**
   * Its session is ending, or has ended, for `reason`: it holds its room no longer. What is remembered of it; undefined
   * where no other session ever comes to the room.
   */
  bury(place: Place, reason: CloseReason): Tombstone | undefined;
  /** Its session has ended. */
  delete(place: Place): void;
  /** Who holds that room for that agent; a session that is ending does not. */
  holder(roomSid: string, agent: string): Place | undefined;
  /** Those who hold rooms of that name, for that agent. */
  named(room: string, agent: string): readonly Place[];
  /** The sessions in LiveKit rooms. */
  readonly visits: readonly Visit[];
  /** The sessions that were in the room of that SID. */
  endings(roomSid: string): readonly Tombstone[];
  /** Takes note of a room as it is: sessions whose agents are found in it are in it, whatever was thought before. */
  observe(room: RoomNow): void;
}

export function createPlaces({ clock }: { readonly clock: Clock }): Places {
  const places = new Set<Place>();
  const tombstones = createTombstones({ clock });
  const holding = () => [...places].filter((place) => !isEnding(place));

  return {
    get size() {
      return places.size;
    },
    get all() {
      return [...places];
    },
    add(place) {
      places.add(place);
      tombstones.clear(place.roomSid, place.request.agentName);
    },
    bury({ request, room, roomSid, found }, reason) {
      if (request.join) return;
      const known = found?.participants.map(({ sid }) => sid);
      const witnesses = room?.witnesses ?? new Set(known);
      const tombstone = { agent: request.agentName, reason, witnesses };
      tombstones.put(roomSid, tombstone);
      return tombstone;
    },
    delete: (place) => void places.delete(place),
    holder: (roomSid, agent) =>
      holding().find((place) => place.roomSid === roomSid && place.request.agentName === agent),
    named: (room, agent) =>
      holding().filter(({ request }) => request.roomName === room && request.agentName === agent),
    get visits() {
      return [...places].filter(({ request }) => !request.join).map(visitOf);
    },
    endings: (roomSid) => tombstones.of(roomSid),
    observe({ sid, participants }) {
      const there = new Set(participants.map(({ identity }) => identity));
      for (const place of places) {
        if (!place.request.join && place.room && there.has(place.room.identity)) place.roomSid = sid;
      }
    },
  };
}

/** What dispatchers and operators see. */
export function view({ request, state }: Place): DispatchedSession {
  return { sessionId: request.id, room: request.roomName, agent: request.agentName, state };
}

function visitOf(place: Place): Visit {
  const { request, roomSid, room, session } = place;
  return {
    sessionId: request.id,
    agent: request.agentName,
    room: request.roomName,
    roomSid,
    identity: room?.identity,
    participant: room?.participant?.identity,
    ending: isEnding(place),
    session,
  };
}

/** Whether the session has nobody left to talk with, or has ended; its farewell may take a while yet. */
function isEnding({ room, session }: Place): boolean {
  return room?.closed.aborted === true || session.state === "closed";
}
