/** One claim per room SID and agent: whoever comes first starts the session, the others are given it. */
import type { Checkpoint } from "../resume/checkpoints.ts";
import { createAdmission } from "./admission.ts";
import type {
  DispatchedSession,
  DispatcherOptions,
  DispatchRequest,
  DispatchResult,
  Refusal,
  SessionRequest,
  Shared,
  TakenOver,
} from "./dispatcher.ts";
import { heldBy, suits } from "./held.ts";
import type { TakenLease } from "./hold.ts";
import { createPlaces, type Place, type Places, view } from "./places.ts";
import type { Rooms } from "./rooms.ts";
import { newSessionId } from "./session_id.ts";
import { placeTaker, reasonOf } from "./take_place.ts";
import type { Tombstone } from "./tombstones.ts";

/** A place that is held for whoever asked, or the answer that there is none. */
export type Claim =
  | { readonly type: "created" | "existing"; readonly place: Place }
  /** Another process has the session. */
  | {
    readonly type: "elsewhere";
    readonly session: DispatchedSession;
    /** Whether its agent comes; pending for as long as that is open, or `signal` aborts. */
    readonly arrival: (signal: AbortSignal) => Promise<"joined" | "failed">;
  }
  | Exclude<DispatchResult, { readonly type: "created" | "existing" }>;

export interface Claims {
  readonly places: Places;
  /** Finds the session that is asked for, or starts it. Never rejects. */
  claim(request: DispatchRequest): Promise<Claim>;
  /** Settles when every claim in a room of that name that is under way has its place, or was refused. */
  settled(room: string): Promise<void>;
  /** The sessions that were in the room of that SID, also those of other processes; rejects when these cannot be asked. */
  endings(roomSid: string): Promise<readonly Tombstone[]>;
  /** Whether no new session is started any more. */
  readonly draining: boolean;
  /** What a new session would be refused with. */
  readonly refusal: Refusal | undefined;
  /** 0–1: below 0.7 while a new session would be taken, else 1. */
  readonly load: number;
  /** See Dispatcher. */
  reserve(): Disposable | undefined;
  /** See Dispatcher. */
  takeOver(taken: TakenOver): void;
  /** Starts no new session from now on. */
  refuse(): void;
}

export function createClaims(options: DispatcherOptions): Claims {
  const { agents, defaultAgent, onSession, rooms, shared, clock, log } = options;
  const places = createPlaces({ clock });
  const take = placeTaker(options, places);
  const admit = createAdmission(options);
  const underWay = new Set<{ readonly room: string; readonly done: Promise<unknown> }>();
  /** Questions for a room's SID, by its name. */
  const asking = new Map<string, Promise<string>>();
  /** Claims that are being taken, one at a time for each room and agent. */
  const taking = new Map<string, Promise<void>>();
  let draining = false;
  /** Places that are kept for sessions that are about to be taken over. */
  let reserved = 0;

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

  const refusal = (request?: DispatchRequest): Refusal | undefined => {
    if (draining) return { type: "draining" };
    const { full } = admit(places.size + reserved, request?.isLastResort ? Infinity : undefined);
    return full && { type: "full", ...full };
  };

  /** What is wanted, where it is known; the answer is there already, or the session may be started. */
  const answerHere = (
    request: DispatchRequest,
    { roomSid, agentName }: SessionRequest,
  ): Claim | undefined => {
    const existing = places.holder(roomSid, agentName);
    if (!existing) return refusal(request);
    if (suits(heldBy(existing), request)) return { type: "existing", place: existing };
    return { type: "conflict", session: view(existing) };
  };

  /** Nothing is awaited here: of simultaneous dispatches one starts a session. */
  const claimHere = (request: DispatchRequest, wanted: SessionRequest, lease?: TakenLease): Claim => {
    const answer = answerHere(request, wanted);
    if (answer) return answer;
    const place = take(wanted, request.found, lease);
    request.onStart?.(place.session);
    tell(place);
    return { type: "created", place };
  };

  const tell = ({ session, request }: Place) => {
    const { id: sessionId, roomName: room, roomSid, agentName: agent, metadata, participant } = request;
    onSession?.(session, {
      sessionId,
      room,
      roomSid,
      agent,
      metadata,
      ...(participant !== undefined && { participant }),
      ...before(request),
    });
  };

  /** The same among several processes; in one it is asked about one room and agent at a time. */
  const claimAnywhere = async (
    shared: Shared,
    request: DispatchRequest,
    wanted: SessionRequest,
  ): Promise<Claim> => {
    const { leases } = shared;
    const { roomSid, agentName } = wanted;
    const key = JSON.stringify([roomSid, agentName]);
    while (taking.has(key)) await taking.get(key);
    const turn = Promise.withResolvers<void>();
    taking.set(key, turn.promise);
    try {
      const answer = answerHere(request, wanted);
      if (answer) return answer;
      const session = heldBy({ request: wanted, found: request.found, room: undefined, state: "connecting" });
      const isOwn = (sessionId: string) => places.all.some(({ request: { id } }) => id === sessionId);
      const claimed = await leases.take(roomSid, session, isOwn);
      if (claimed.type === "taken") {
        const claim = claimHere(request, await goneOnWith(shared, wanted, claimed.lease), claimed.lease);
        if (claim.type !== "created") await leases.drop(claimed.lease);
        return claim;
      }
      const { sessionId, room, agent, state } = claimed.by;
      const seen: DispatchedSession = { sessionId, room, agent, state };
      if (!suits(claimed.by, request)) return { type: "conflict", session: seen };
      return { type: "elsewhere", session: seen, arrival: (signal) => leases.arrival(roomSid, seen, signal) };
    } finally {
      taking.delete(key);
      turn.resolve();
    }
  };

  /** What is wanted, or the session that was there and whose process is gone. A throw gives up `lease`. */
  const goneOnWith = async (
    { leases, checkpoints }: Shared,
    wanted: SessionRequest,
    lease: TakenLease,
  ): Promise<SessionRequest> => {
    if (wanted.left || wanted.ticket) return wanted; // the token of a ticket is for an identity of its own
    try {
      const left = await checkpoints.find(wanted.roomSid, wanted.agentName);
      return left ? { ...wanted, ...sessionOf(left) } : wanted;
    } catch (error) {
      await leases.drop(lease);
      throw error;
    }
  };

  const claim = async (request: DispatchRequest): Promise<Claim> => {
    const { room, agent: agentName = defaultAgent, metadata = "", participant, join, found } = request;
    const { ticket, left, onLeave } = request;
    const agent = Object.hasOwn(agents, agentName) ? agents[agentName] : undefined;
    if (!agent) return { type: "unknown-agent", agent: agentName, known: Object.keys(agents) };
    const asks = !join && !found && rooms !== undefined;
    // For a session that would be refused nothing is asked, and no room made.
    const early = asks && places.named(room, agentName).length === 0 ? refusal(request) : undefined;
    if (early) return early;
    try {
      const wanted: SessionRequest = {
        id: ticket?.sessionId ?? newSessionId(),
        agentName,
        agent,
        roomName: room,
        roomSid: asks ? await sidOf(rooms, request, agentName) : found?.sid ?? room,
        metadata,
        ...(participant !== undefined && { participant }),
        ...(join && { join }),
        ...(ticket && { ticket }),
        ...(onLeave && { onLeave }),
        ...(left && sessionOf(left)),
      };
      return shared && !join ? await claimAnywhere(shared, request, wanted) : claimHere(request, wanted);
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
    endings: async (roomSid) => shared ? await shared.tombstones.of(roomSid) : places.endings(roomSid),
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
      return draining ? 1 : admit(places.size + reserved).load;
    },
    reserve() {
      if (refusal()) return undefined;
      reserved++;
      return { [Symbol.dispose]: () => void reserved-- };
    },
    takeOver({ left, lease, ...stood }) {
      const { agent: agentName, room: roomName, roomSid } = left;
      const agent = agents[agentName];
      if (!agent) throw new Error(`there is no agent ${JSON.stringify(agentName)}`);
      tell(take({ agentName, agent, roomName, roomSid, ...sessionOf(left), stood }, undefined, lease));
    },
    refuse() {
      draining = true;
    },
  };
}

/** A session whose process is gone, as it is started again. */
const sessionOf = (left: Checkpoint): Pick<SessionRequest, "id" | "metadata" | "participant" | "left"> => ({
  id: left.sessionId,
  metadata: left.metadata,
  ...(left.participant !== undefined && { participant: left.participant }),
  left,
});

/** What is known of it from the process that is gone. */
const before = ({ left: { snapshot, sums } = {} }: { readonly left?: Partial<Checkpoint> }) =>
  snapshot && { before: { elapsedMs: snapshot.elapsedMs, ...(sums && { sums }) } };
