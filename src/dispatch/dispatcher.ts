/** The one door to a session: whoever asks for an agent in a room gets the session that is there, or a new one. */
import type { Agent, VoiceSession } from "../agent.ts";
import type { Clock } from "../clock.ts";
import { ConfigError, messageOf, StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Room } from "../room/room.ts";
import type { RunningSession } from "../session.ts";
import type { SessionFacts } from "../telemetry/facts.ts";

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
  /** Told of the session as soon as there is one, before anything happens in it. */
  readonly onStart?: (session: VoiceSession) => void;
}

/** What a session is started from. */
export interface SessionRequest {
  readonly id: string;
  readonly agentName: string;
  readonly agent: Agent;
  readonly roomName: string;
  readonly metadata: string;
  readonly participant?: string;
  readonly join?: (options: { readonly signal: AbortSignal }) => Promise<Room>;
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
  | { readonly type: "full"; readonly maxSessions: number }
  | { readonly type: "draining" };

export interface Dispatcher {
  /** Sends an agent to a room; waits up to 2 s for it to be there. Never rejects. */
  dispatch(request: DispatchRequest): Promise<DispatchResult>;
  readonly sessions: readonly DispatchedSession[];
  /** Whether a new session would be taken, and if not, why. */
  readonly readiness: "ready" | "full" | "draining";
  /**
   * Takes no new sessions and closes those there are, with reason "shutdown"; settles when all have ended, or after
   * `budgetMs` for their shutdown callbacks and 5 s to close. Returns how many were still there then.
   */
  drain(options: { readonly budgetMs: number }): Promise<number>;
}

export interface DispatcherOptions {
  readonly agents: Readonly<Record<string, Agent>>;
  readonly defaultAgent: string;
  /** Starts a session; a throw is the answer to the dispatch. */
  readonly start: (request: SessionRequest) => RunningSession;
  /** Told of every session as soon as there is one, before anything happens in it. */
  readonly onSession?: (session: VoiceSession, facts: SessionFacts) => void;
  readonly maxSessions: number;
  readonly clock: Clock;
  readonly log: Log;
}

const joinWaitMs = 2_000;
const closeMs = 5_000;

/** A room and an agent, and the session that holds them. */
interface Place {
  readonly request: SessionRequest;
  readonly session: VoiceSession;
  state: DispatchedSession["state"];
  /** Settles when the agent is in the room; or with the reason why it is not, once the place is free again. */
  readonly arrival: Promise<{ readonly failed?: string }>;
  /** Settles when the session has ended and the place is free again. */
  readonly ended: Promise<void>;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { agents, defaultAgent, start, onSession, maxSessions, clock, log } = options;
  const places = new Map<string, Place>();
  let draining = false;

  const take = (key: string, request: SessionRequest): Place => {
    const sessionLog = log.child({ sessionId: request.id, room: request.roomName, agent: request.agentName });
    const { session, joined } = start(request);
    const ended = session.done.then((reason) => {
      places.delete(key);
      sessionLog.info({ reason }, "session ended");
    });
    const arrival = joined.then(() => {
      place.state = "connected";
      sessionLog.info({}, "agent joined");
      return {};
    }, async (error) => {
      sessionLog.error({ error }, "agent could not join");
      await session.close("error");
      await ended;
      return { failed: reasonOf(error) };
    });
    const place: Place = { request, session, state: "connecting", arrival, ended };
    places.set(key, place);
    return place;
  };

  /** Answers when the agent has arrived or could not, or when that takes too long to wait for. */
  const answer = async (type: "created" | "existing", place: Place): Promise<DispatchResult> => {
    const arrival = await within(joinWaitMs, place.arrival, clock);
    if (arrival?.failed === undefined) return { type, session: view(place) };
    return draining ? { type: "draining" } : { type: "failed", reason: arrival.failed };
  };

  return {
    get sessions() {
      return [...places.values()].map(view);
    },
    get readiness() {
      if (draining) return "draining";
      return places.size < maxSessions ? "ready" : "full";
    },
    async dispatch({ room, agent: agentName = defaultAgent, metadata = "", participant, join, onStart }) {
      const agent = Object.hasOwn(agents, agentName) ? agents[agentName] : undefined;
      if (!agent) return { type: "unknown-agent", agent: agentName, known: Object.keys(agents) };
      const key = JSON.stringify([room, agentName]);
      const existing = places.get(key);
      if (existing) {
        const { request } = existing;
        const same = request.metadata === metadata && request.participant === participant;
        return same ? await answer("existing", existing) : { type: "conflict", session: view(existing) };
      }
      if (draining) return { type: "draining" };
      if (places.size >= maxSessions) return { type: "full", maxSessions };
      // From here to the place being taken nothing is awaited: of simultaneous dispatches one starts a session.
      const id = `session_${crypto.randomUUID()}`;
      const given = { ...(participant !== undefined && { participant }), ...(join && { join }) };
      try {
        const place = take(key, { id, agentName, agent, roomName: room, metadata, ...given });
        onStart?.(place.session);
        onSession?.(place.session, {
          sessionId: id,
          room,
          roomSid: room,
          agent: agentName,
          metadata,
          ...(participant !== undefined && { participant }),
        });
        return await answer("created", place);
      } catch (error) {
        log.error({ error, room, agent: agentName }, "agent could not be set up");
        return { type: "failed", reason: reasonOf(error) };
      }
    },
    async drain({ budgetMs }) {
      draining = true;
      log.info({ sessions: places.size }, "draining");
      const leaving = [...places.values()].map(async ({ session, ended }) => {
        await session.close("shutdown");
        await ended;
      });
      await within(budgetMs + closeMs, Promise.allSettled(leaving), clock);
      return places.size;
    },
  };
}

function view({ request, state }: Place): DispatchedSession {
  return { sessionId: request.id, room: request.roomName, agent: request.agentName, state };
}

/** What `promise` settles with; undefined when that takes longer than `ms`. */
async function within<T>(ms: number, promise: Promise<T>, clock: Clock): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  using _timer = clock.after(ms, () => late.resolve(undefined));
  return await Promise.race([promise, late.promise]);
}

/** What a client is told: our own errors are in words meant to be read; any other stays in the log. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StageError) return messageOf(error);
  return "the agent failed while it was set up; the server's log says why";
}
