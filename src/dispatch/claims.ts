/** One claim per room SID and agent: whoever comes first starts the session, the others are given it. */
import { ConfigError, messageOf, StageError } from "../errors.ts";
import type { Room } from "../room/room.ts";
import { createAdmission } from "./admission.ts";
import type {
  DispatcherOptions,
  DispatchRequest,
  DispatchResult,
  Refusal,
  SessionRequest,
} from "./dispatcher.ts";
import { type Arrival, createPlaces, type Place, type Places, view } from "./places.ts";
import { type RoomNow, RoomReplacedError, type Rooms } from "./rooms.ts";
import { newSessionId } from "./session_id.ts";

/** A place that is held for whoever asked, or the answer that there is none. */
export type Claim =
  | { readonly type: "created" | "existing"; readonly place: Place }
  | Exclude<DispatchResult, { readonly type: "created" | "existing" }>;

export interface Claims {
  readonly places: Places;
  /** Finds the session that is asked for, or starts it. Never rejects. */
  claim(request: DispatchRequest): Promise<Claim>;
  /** Settles when every claim in a room of that name that is under way has its place, or was refused. */
  settled(room: string): Promise<void>;
  /** Whether no new session is started any more. */
  readonly draining: boolean;
  /** What a new session would be refused with. */
  readonly refusal: Refusal | undefined;
  /** 0–1: below 0.7 while a new session would be taken, else 1. */
  readonly load: number;
  /** Starts no new session from now on. */
  refuse(): void;
}

export function createClaims(options: DispatcherOptions): Claims {
  const { agents, defaultAgent, start, onSession, rooms, clock, log } = options;
  const places = createPlaces({ clock });
  const admit = createAdmission(options);
  const underWay = new Set<{ readonly room: string; readonly done: Promise<unknown> }>();
  /** Questions for a room's SID, by its name. */
  const asking = new Map<string, Promise<string>>();
  let draining = false;

  const take = (request: Omit<SessionRequest, "onRoom">, found: RoomNow | undefined): Place => {
    const { id, roomName, agentName, roomSid } = request;
    const sessionLog = log.child({ sessionId: id, room: roomName, agent: agentName });
    const onRoom = (room: Room) => {
      if (!request.join && room.id !== roomSid) throw new RoomReplacedError(roomName);
      place.room = room;
      room.closed.addEventListener("abort", () => places.bury(place, room.closed.reason), { once: true });
    };
    const { session, joined } = start({ ...request, onRoom });
    const ended = session.done.then((reason) => {
      places.bury(place, reason);
      places.delete(place);
      sessionLog.info({ reason }, "session ended");
    });
    const arrival = joined.then((): Arrival => {
      place.state = "connected";
      sessionLog.info({}, "agent joined");
      return { type: "joined" };
    }, async (error): Promise<Arrival> => {
      sessionLog.error({ error }, "agent could not join");
      await session.close("error");
      await ended;
      return { type: "failed", reason: reasonOf(error), replaced: error instanceof RoomReplacedError };
    });
    const place: Place = {
      request,
      found,
      session,
      roomSid,
      room: undefined,
      state: "connecting",
      arrival,
      ended,
    };
    places.add(place);
    return place;
  };

  const ensured = (rooms: Rooms, room: string): Promise<string> => {
    const asked = asking.get(room) ?? rooms.ensure(room).finally(() => asking.delete(room));
    asking.set(room, asked);
    return asked;
  };

  /** The SID of the room of that name as it is now; what is known of sessions of `agent` in rooms of it is put right. */
  const sidOf = async (rooms: Rooms, { room, roomSid }: DispatchRequest, agent: string): Promise<string> => {
    const sid = roomSid ?? await ensured(rooms, room);
    if (places.named(room, agent).every(({ roomSid }) => roomSid === sid)) return sid;
    // LiveKit may have restarted, and the agent have joined again by itself.
    const now = await rooms.find(room);
    if (now) places.observe(now);
    return now?.sid ?? sid;
  };

  const refusal = (): Refusal | undefined => {
    if (draining) return { type: "draining" };
    const { full } = admit(places.size);
    return full && { type: "full", ...full };
  };

  const claim = async (request: DispatchRequest): Promise<Claim> => {
    const { room, agent: agentName = defaultAgent, metadata = "", participant, join, found } = request;
    const { ticket, onLeave } = request;
    const agent = Object.hasOwn(agents, agentName) ? agents[agentName] : undefined;
    if (!agent) return { type: "unknown-agent", agent: agentName, known: Object.keys(agents) };
    const asks = !join && !found && rooms !== undefined;
    // For a session that would be refused nothing is asked, and no room made.
    const early = asks && places.named(room, agentName).length === 0 ? refusal() : undefined;
    if (early) return early;
    try {
      const roomSid = asks ? await sidOf(rooms, request, agentName) : found?.sid ?? room;
      // From here to the place being taken nothing is awaited: of simultaneous dispatches one starts a session.
      const existing = places.holder(roomSid, agentName);
      if (existing) {
        if (suits(existing, request)) return { type: "existing", place: existing };
        return { type: "conflict", session: view(existing) };
      }
      const refused = refusal();
      if (refused) return refused;
      const id = ticket?.sessionId ?? newSessionId();
      const wanted = participant !== undefined && { participant };
      const given = {
        ...wanted,
        ...(join && { join }),
        ...(ticket && { ticket }),
        ...(onLeave && { onLeave }),
      };
      const place = take({ id, agentName, agent, roomName: room, roomSid, metadata, ...given }, found);
      request.onStart?.(place.session);
      onSession?.(place.session, { sessionId: id, room, roomSid, agent: agentName, metadata, ...wanted });
      return { type: "created", place };
    } catch (error) {
      log.error({ error, room, agent: agentName }, "agent could not be sent");
      return { type: "failed", reason: reasonOf(error) };
    }
  };

  return {
    places,
    async claim(request) {
      const done = claim(request);
      const entry = { room: request.room, done };
      underWay.add(entry);
      const claimed = await done;
      underWay.delete(entry);
      return claimed;
    },
    async settled(room) {
      await Promise.all([...underWay].filter((one) => one.room === room).map(({ done }) => done));
    },
    get draining() {
      return draining;
    },
    get refusal() {
      return refusal();
    },
    get load() {
      return draining ? 1 : admit(places.size).load;
    },
    refuse() {
      draining = true;
    },
  };
}

/** Whether who holds `place` is what is asked for; where a room asked for them itself, whoever has no other wishes agrees. */
function suits({ request, found, room }: Place, asked: DispatchRequest): boolean {
  if (asked.found) return true;
  const { metadata = "", participant } = asked;
  if (!found) return request.metadata === metadata && request.participant === participant;
  // Before it talks with anybody, it is for whoever was there.
  const callers = room?.participant
    ? [room.participant]
    : found.participants.filter(({ canTalk }) => canTalk);
  return (metadata === "" || request.metadata === metadata) &&
    (participant === undefined ||
      callers.length > 0 && callers.every(({ identity }) => identity === participant));
}

/** What a client is told: our own errors are in words meant to be read; any other stays in the log. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StageError) return messageOf(error);
  return "the agent failed while it was set up; the server's log says why";
}
