/** A place is taken: its session starts, and holds the claim of its room for as long as it goes on. */
import { ConfigError, messageOf, StageError } from "../errors.ts";
import type { CloseReason } from "../events.ts";
import type { Started } from "../resume/checkpoints.ts";
import { handOver as handOverSession } from "../resume/hand_over.ts";
import type { Room } from "../room/room.ts";
import type { RunningSession } from "../session.ts";
import { withoutSecrets } from "../telemetry/outward.ts";
import type { DispatcherOptions, SessionRequest } from "./dispatcher.ts";
import { heldBy } from "./held.ts";
import type { Hold, TakenLease } from "./hold.ts";
import type { Arrival, Place, Places } from "./places.ts";
import { endWithDispatch } from "./recall.ts";
import { type RoomNow, RoomReplacedError } from "./rooms.ts";
import { StoreError } from "./store/store.ts";

/**
 * What starts the session that is wanted, and gives it a place. `found`: the room as it was read; `lease`: the claim that was
 * taken for it, where processes share their claims. It throws what the session's start does, and gives up the claim then.
 */
export function placeTaker(
  { start, rooms, shared, clock, log }: Pick<
    DispatcherOptions,
    "start" | "rooms" | "shared" | "clock" | "log"
  >,
  places: Places,
): (request: SessionRequest, found: RoomNow | undefined, lease: TakenLease | undefined) => Place {
  const begin = (request: SessionRequest, hold: Hold | undefined): RunningSession => {
    try {
      return start(request);
    } catch (error) {
      void hold?.release();
      throw error;
    }
  };

  return (request, found, lease) => {
    const { id, roomName, agentName, roomSid } = request;
    const sessionLog = log.child({ sessionId: id, room: roomName, agent: agentName });
    const hold = lease && shared?.leases.hold({
      lease,
      roomSid: () => place.room?.id ?? place.roomSid,
      describe: () => heldBy(place),
      isAlone: () => place.room?.isAlone ?? false,
      log: sessionLog,
    });
    const kept = hold && shared?.checkpoints.of(() => startedAs(place), {
      fence: () => hold.fence,
      left: request.left,
      log: sessionLog,
    });
    /** The room is free; others are told first why the session ended, so that nothing that they hear late revives it. */
    const free = async (reason: CloseReason) => {
      const tombstone = places.bury(place, reason);
      await hold?.release(async (fence) => {
        // Who could not even join to go on with it, or cannot get back in, leaves that to another.
        const goesOn = place.room ? reason === "disconnected" && !request.join : request.left;
        if (!goesOn) await kept?.forget(fence);
        if (tombstone) await shared?.tombstones.put(place.roomSid, { ...tombstone, sessionId: id }, fence);
      });
    };
    const onRoom = (room: Room) => {
      if (!request.join && room.id !== roomSid) {
        void session.close("room-deleted");
        throw new RoomReplacedError(roomName);
      }
      place.room = room;
      room.closed.addEventListener("abort", () => {
        const { reason } = room.closed;
        if (reason === "closed") places.bury(place, reason); // the session itself leaves, and will say why
        else void free(reason);
      }, { once: true });
    };
    const holding = hold && kept && { gate: hold.gate, keep: kept.keep };
    const { session, joined, dismiss, departure } = begin({ ...request, ...holding, onRoom }, hold);
    hold?.lost.addEventListener("abort", () => void session.close("claim-lost"), { once: true });
    const { dispatchId } = request.left ?? {};
    if (dispatchId !== undefined && rooms) {
      endWithDispatch({ dispatchId, room: roomName, roomSid, session, rooms, clock, log: sessionLog });
    }
    const ended = session.done.then(async (reason) => {
      const freed = free(reason);
      if (hold) await freed;
      places.delete(place);
      sessionLog.info({ reason }, "session ended");
    });
    const arrival = joined.then((): Arrival => {
      place.state = "connected";
      hold?.tell();
      sessionLog.info({}, "agent joined");
      return { type: "joined" };
    }, async (error): Promise<Arrival> => {
      await session.close("error"); // unless it was ended meanwhile
      if (await session.done === "error") sessionLog.error({ error }, "agent could not join");
      await ended;
      return { type: "failed", reason: reasonOf(error), replaced: error instanceof RoomReplacedError };
    });
    const handOver: Place["handOver"] = hold && kept && shared && ((options) => {
      const at = () => ({ roomSid: place.room?.id ?? place.roomSid, agent: agentName });
      const { offers } = shared;
      return handOverSession(
        { session, departure, place: at, hold, kept, offers, clock, log: sessionLog },
        options,
      );
    });
    const place: Place = {
      request,
      found,
      session,
      dismiss,
      handOver,
      roomSid,
      room: undefined,
      state: "connecting",
      arrival,
      ended,
    };
    places.add(place);
    return place;
  };
}

/** What another process would go on with. */
const startedAs = ({ request, roomSid, room }: Place): Started => ({
  sessionId: request.id,
  room: request.roomName,
  roomSid,
  agent: request.agentName,
  metadata: request.metadata,
  ...(request.participant !== undefined && { participant: request.participant }),
  ...(room && { identity: room.identity }),
  ...dispatchOf(request),
});

/** LiveKit's dispatch that the session came of, if it did of one. */
function dispatchOf({ ticket, left }: SessionRequest): { readonly dispatchId?: string } {
  const dispatchId = ticket?.dispatchId ?? left?.dispatchId;
  return dispatchId === undefined ? {} : { dispatchId };
}

/** What a client is told: our own errors are in words meant to be read; any other stays in the log. */
export function reasonOf(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StageError || error instanceof StoreError) {
    return withoutSecrets(messageOf(error)); // LiveKit says back the token that it refuses
  }
  return "the agent failed while it was set up; the server's log says why";
}
