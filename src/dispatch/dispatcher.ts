/** The one door to a session: whoever asks for an agent in a room gets the session that is there, or a new one. */
import { within as settledWithin } from "../abort.ts";
import type { Agent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import type { CloseReason } from "../events.ts";
import type { MadeSpeech } from "../greeting.ts";
import type { Log } from "../log.ts";
import type { Gate } from "../room/gate.ts";
import type { Room } from "../room/room.ts";
import type { Checkpoint, Checkpoints, SessionCheckpoint } from "../resume/checkpoints.ts";
import type { Offers } from "../resume/offers.ts";
import type { RunningSession } from "../session.ts";
import type { Full } from "./admission.ts";
import { type Claim, type Claims, createClaims } from "./claims.ts";
import type { TakenLease } from "./hold.ts";
import type { Leases } from "./leases.ts";
import { type Places, view } from "./places.ts";
import type { RoomNow, Rooms } from "./rooms.ts";
import type { SharedTombstones } from "./shared_tombstones.ts";
import type { Standby } from "./standby.ts";
import type { Strain } from "./strain.ts";
import type { SessionFacts } from "../telemetry/facts.ts";
import type { VoiceSession } from "../voice_session.ts";

export type { SessionFacts } from "../telemetry/facts.ts";

/** Who wants which agent where. */
export interface DispatchRequest {
  readonly room: string;
  /** The agent's name in the registry (default: the default agent). */
  readonly agent?: string;
  /** Handed to the agent as it is. */
  readonly metadata?: string;
  /** The identity of the participant to talk with (default: whoever comes first). */
  readonly participant?: string;
  /** Joins the room, where that is not the LiveKit room of that name. */
  readonly join?: (options: { readonly signal: AbortSignal }) => Promise<Room>;
  /** The SID of the room, where whoever asks knows it: the agent goes to this room or to none. */
  readonly roomSid?: string;
  /** What LiveKit gave to join the room with. */
  readonly ticket?: Ticket;
  /** A session whose process is gone, to be gone on with. */
  readonly left?: Checkpoint;
  /** Nobody else takes it: also when there are as many sessions as there may be, if the process can bear another. */
  readonly isLastResort?: boolean;
  /** Told of the session as soon as there is one, before anything happens in it. */
  readonly onStart?: (session: VoiceSession) => void;
  /** Told why the session ends before it leaves its room, which waits for it. */
  readonly onLeave?: (reason: CloseReason) => Promise<void>;
  /**
   * The room as it was read, where nobody asks for the agent but the room itself: the agent goes to this room or to
   * none, and whoever dispatches it afterwards without wishes of their own is content with it.
   */
  readonly found?: RoomNow;
}

/** With what the agent of one session joins one LiveKit room. */
export interface Ticket {
  /** The id that the session is to have, since the token is for its agent's identity. */
  readonly sessionId: string;
  readonly token: string;
  /** Where LiveKit is, if it is not where the configuration says. */
  readonly url?: string;
  /** LiveKit's dispatch that it is of. */
  readonly dispatchId?: string;
}

/** What a session is started from. */
export interface SessionRequest {
  readonly id: string;
  readonly agentName: string;
  readonly agent: Agent;
  readonly roomName: string;
  /** The SID of the room it is for; the room's name where that is no LiveKit room. */
  readonly roomSid: string;
  readonly metadata: string;
  readonly participant?: string;
  readonly join?: (options: { readonly signal: AbortSignal }) => Promise<Room>;
  readonly ticket?: Ticket;
  readonly left?: Checkpoint;
  /** Where the agent is in the room already, to go on with it. */
  readonly stood?: Pick<TakenOver, "standby" | "silentlySinceMs" | "unreadSinceMs" | "made">;
  /** Keeps how the session stands, for the case that this process goes. */
  readonly keep?: SessionCheckpoint["keep"];
  readonly onLeave?: (reason: CloseReason) => Promise<void>;
  /** Whether the agent may be heard in the room, and hears (default: always). */
  readonly gate?: Gate;
  /** To be shown the room as soon as it is joined; the join fails with what this throws. */
  readonly onRoom?: (room: Room) => void;
}

/** A session as dispatchers and operators see it. */
export interface DispatchedSession {
  readonly sessionId: string;
  readonly room: string;
  readonly agent: string;
  /** "connected" once the agent is in the room. */
  readonly state: "connecting" | "connected";
}

export type DispatchResult =
  /** `existing`: it was there already, asked for by somebody before. */
  | { readonly type: "created" | "existing"; readonly session: DispatchedSession }
  /** The agent is in the room for another participant, or with other metadata. */
  | { readonly type: "conflict"; readonly session: DispatchedSession }
  | { readonly type: "unknown-agent"; readonly agent: string; readonly known: readonly string[] }
  /** The agent could not be set up or could not join; `reason` is in words and may be shown to the client. */
  | { readonly type: "failed"; readonly reason: string }
  | Refusal;

/** Nobody is sent anywhere now. */
export type Refusal = { readonly type: "full" } & Full | { readonly type: "draining" };

export interface Dispatcher {
  /** Sends an agent to a room; waits up to 2 s for it to be there. Never rejects. */
  dispatch(request: DispatchRequest): Promise<DispatchResult>;
  readonly sessions: readonly DispatchedSession[];
  /** Which sessions are in which LiveKit rooms, and which were. */
  readonly presence: Presence;
  /** What a new session would be refused with; undefined while it would be taken. */
  readonly refusal: Refusal | undefined;
  /** 0–1: below 0.7 while a new session would be taken, else 1. */
  readonly load: number;
  /** Keeps a place for a session that is about to be taken over; undefined when there is none. */
  reserve(): Disposable | undefined;
  /** Goes on with a session whose claim was taken, where it stands by. Throws when it cannot be started. */
  takeOver(taken: TakenOver): void;
  /**
   * Takes no new sessions, and hands those there are over to other processes. What has nobody to take it goes on for
   * `waitMs`, or until `enough` aborts; then each says goodbye and ends,
   * with reason "shutdown". Settles when all have ended, or `budgetMs` and 5 s to close after that; returns how many were
   * still there then.
   */
  drain(options: DrainOptions): Promise<number>;
}

/** A session of another process, which has handed it over, or is gone. */
export interface TakenOver {
  readonly left: Checkpoint;
  readonly lease: TakenLease;
  readonly standby: Standby;
  /** See Resume. */
  readonly silentlySinceMs: number | undefined;
  /** What was written before was read by the process that has handed it over (clock milliseconds). */
  readonly unreadSinceMs: number | undefined;
  /** See Resume. */
  readonly made: MadeSpeech | undefined;
}

export interface DrainOptions {
  /** How long sessions may go on by themselves, milliseconds (default: not at all). */
  readonly waitMs?: number;
  readonly enough?: AbortSignal;
  /** What goodbyes and shutdown callbacks may take together, milliseconds. */
  readonly budgetMs: number;
}

export interface Presence extends Pick<Places, "visits" | "observe">, Pick<Claims, "endings"> {
  /** Settles when every dispatch to a room of that name that is under way has its place, or was refused. */
  settled(room: string): Promise<void>;
}

/** What several processes share that take calls together. */
export interface Shared {
  readonly leases: Leases;
  readonly tombstones: SharedTombstones;
  readonly checkpoints: Checkpoints;
  readonly offers: Offers;
}

export interface DispatcherOptions {
  readonly agents: Readonly<Record<string, Agent>>;
  readonly defaultAgent: string;
  /** Starts a session; a throw is the answer to the dispatch. */
  readonly start: (request: SessionRequest) => RunningSession;
  /** Told of every session as soon as there is one, before anything happens in it. */
  readonly onSession?: (session: VoiceSession, facts: SessionFacts) => void;
  /** LiveKit's rooms; without them `start` has no room to send anybody to. */
  readonly rooms?: Rooms | undefined;
  /** What is shared with other processes that take calls; without it a claim holds in this one alone. */
  readonly shared?: Shared | undefined;
  readonly maxSessions: number;
  /** How the process bears what it does; without it the number of sessions alone counts. */
  readonly strain?: Strain | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const joinWaitMs = 2_000;
const closeMs = 5_000;
/** How often an agent is sent on when the room it came to had been replaced by another of its name. */
const maxDetours = 2;

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { clock, log } = options;
  const claims = createClaims(options);
  const { places } = claims;

  const send = async (request: DispatchRequest, detours: number): Promise<DispatchResult> => {
    const claim = await claims.claim(request);
    if (claim.type === "elsewhere") return await sendElsewhere(request, claim, detours);
    if (!("place" in claim)) return claim;
    const { type, place } = claim;
    const arrived = async (): Promise<DispatchResult> => {
      const arrival = await place.arrival;
      if (arrival.type === "joined") return { type, session: view(place) };
      if (claims.draining) return { type: "draining" };
      const goesOn = detours > 0 && !request.found && request.roomSid === undefined;
      if (arrival.replaced && goesOn) {
        log.info({ ...view(place) }, "the room was replaced by another of its name: the agent is sent on");
        return await send(request, detours - 1);
      }
      return { type: "failed", reason: arrival.reason };
    };
    return await within(joinWaitMs, arrived(), clock) ?? { type, session: view(place) };
  };

  /** Waits for an agent that another process sends; when that fails there, it is sent from here. */
  const sendElsewhere = async (
    request: DispatchRequest,
    { session, arrival }: Extract<Claim, { readonly type: "elsewhere" }>,
    detours: number,
  ): Promise<DispatchResult> => {
    const enough = new AbortController();
    const arrived = await within(joinWaitMs, arrival(enough.signal), clock)
      .catch((error) => log.warn({ error, ...session }, "it is not known whether an agent has come"));
    enough.abort();
    if (arrived === "failed" && detours > 0) return await send(request, detours - 1);
    return {
      type: "existing",
      session: { ...session, state: arrived === "joined" ? "connected" : "connecting" },
    };
  };

  return {
    presence: {
      get visits() {
        return places.visits;
      },
      endings: claims.endings,
      observe: places.observe,
      settled: claims.settled,
    },
    get sessions() {
      return places.all.map(view);
    },
    get refusal() {
      return claims.refusal;
    },
    get load() {
      return claims.load;
    },
    dispatch: (request) => send(request, maxDetours),
    reserve: claims.reserve,
    takeOver: claims.takeOver,
    async drain({ waitMs = 0, enough = new AbortController().signal, budgetMs }) {
      claims.refuse();
      log.info({ sessions: places.size, waitMs }, "draining");
      const ended = Promise.all(places.all.map(({ ended }) => ended));
      if (waitMs > 0) {
        const over = new AbortController();
        const handed = places.all.map(({ handOver }) => handOver?.({ waitMs, signal: over.signal }));
        await settledWithin(waitMs, ended, { clock, signal: enough });
        over.abort();
        await Promise.all(handed); // one may be just about to go on elsewhere
      }
      for (const { dismiss } of places.all) void dismiss();
      await within(budgetMs + closeMs, ended, clock);
      return places.size;
    },
  };
}

/** What `promise` settles with; undefined when that takes longer than `ms`. */
async function within<T>(ms: number, promise: Promise<T>, clock: Clock): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  using _timer = clock.after(ms, () => late.resolve(undefined));
  return await Promise.race([promise, late.promise]);
}
