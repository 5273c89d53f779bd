/** LiveKit's rooms as they are now: https://docs.livekit.io/home/server/managing-rooms/ */
import { type AgentDispatch, JobStatus } from "@livekit/protocol";
import {
  AgentDispatchClient,
  type ParticipantInfo,
  RoomServiceClient,
  ServerError,
} from "livekit-server-sdk";
import type { LiveKitConfig } from "../config.ts";
import { messageOf, StageError } from "../errors.ts";

/** Somebody in a room, as LiveKit has them. */
export interface Occupant {
  /** Theirs from joining to leaving; whoever comes back has another. */
  readonly sid: string;
  readonly identity: string;
  /** Whether an agent can talk with them: not with other agents, egress, ingress, nor with who is hidden. */
  readonly canTalk: boolean;
  /** The name it goes by, where it is an agent that gives one. */
  readonly agentName?: string;
}

/** What LiveKit was asked to send to a room: https://docs.livekit.io/agents/server/agent-dispatch/ */
export interface RoomDispatch {
  readonly id: string;
  /** Empty: whoever serves rooms that ask for nobody. */
  readonly agent: string;
  readonly metadata: string;
  /** What came of it: none where no worker took it. LiveKit's own server seldom notices a job's end. */
  readonly jobs: readonly { readonly identity: string; readonly ended: boolean }[];
}

/** Which room: a room of the same name that comes later has another SID. */
export interface RoomName {
  readonly sid: string;
  readonly name: string;
}

/** A room as it was when it was read. */
export interface RoomNow extends RoomName {
  readonly metadata: string;
  readonly participants: readonly Occupant[];
  readonly dispatches: readonly RoomDispatch[];
}

/** What can be asked of LiveKit about rooms. All reject with a StageError of stage "room", in words, within 5 s. */
export interface Rooms {
  /** The SID of the room of that name, which is made where there is none. */
  ensure(name: string): Promise<string>;
  /** The room of that name; undefined when there is none. */
  find(name: string): Promise<RoomNow | undefined>;
  /** Every room there is. */
  list(): Promise<readonly RoomName[]>;
  /** The dispatches of the room of that name; where there is no room, none, after a while. */
  dispatches(name: string): Promise<readonly RoomDispatch[]>;
  /** Who is in the room of that name; nobody where there is none. */
  participants(name: string): Promise<readonly Occupant[]>;
  /** Puts a participant out of the room of that name, where they are in it. */
  remove(name: string, identity: string): Promise<void>;
}

/** The room that an agent joined is not the one it was sent to: that one ended, and another has its name. */
export class RoomReplacedError extends StageError {
  constructor(name: string) {
    super("room", `the room ${JSON.stringify(name)} ended while the agent was on its way`, {
      retryable: true,
    });
  }
}

const timeoutSeconds = 5;

/**
 * What LiveKit calls those who cannot talk: ingress, egress, agent.
 * https://github.com/livekit/protocol/blob/main/protobufs/livekit_models.proto, ParticipantInfo.Kind
 */
const kindsWithoutVoice: ReadonlySet<number> = new Set([1, 2, 4]);
/** ParticipantInfo.State. */
const disconnected = 3;

/** The rooms of the server at `url`, asked with its key pair. */
export function livekitRooms({ url, apiKey, apiSecret }: LiveKitConfig): Rooms {
  const access = [url.replace(/^ws/, "http"), apiKey, apiSecret, {
    requestTimeout: timeoutSeconds,
    failover: false, // its attempts would add up to more than a caller waits
  }] as const;
  const client = new RoomServiceClient(...access);
  const dispatchClient = new AgentDispatchClient(...access);
  const ask = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      throw failureOf(error, url);
    }
  };
  const dispatches = async (name: string): Promise<RoomDispatch[]> =>
    (await ask(dispatchClient.listDispatch(name).catch(noneWhereNobodyHasTheRoom))).map(dispatchNow);
  const participants = async (name: string): Promise<Occupant[]> => {
    const there = await ask(client.listParticipants(name).catch(nobodyWhereNoRoomIs));
    return there.filter(({ state }) => state !== disconnected).map(occupant);
  };
  return {
    dispatches,
    participants,
    list: () => ask(client.listRooms()),
    async ensure(name) {
      const { sid } = await ask(client.createRoom({ name })); // of a room that is there, it changes nothing
      return sid;
    },
    async find(name) {
      const [rooms, there] = await Promise.all([ask(client.listRooms([name])), participants(name)]);
      const room = rooms.find((room) => room.name === name);
      if (!room) return undefined;
      const { sid, metadata } = room;
      return { sid, name, metadata, participants: there, dispatches: await dispatches(name) };
    },
    remove: (name, identity) => ask(client.removeParticipant(name, identity).catch(ifThere)),
  };
}

function occupant({ sid, identity, kind, permission, attributes }: ParticipantInfo): Occupant {
  const agentName = attributes["lk.agent.name"];
  return {
    sid,
    identity,
    canTalk: !kindsWithoutVoice.has(kind) && permission?.hidden !== true,
    ...(agentName !== undefined && { agentName }),
  };
}

function dispatchNow({ id, agentName: agent, metadata, state }: AgentDispatch): RoomDispatch {
  const jobs = (state?.jobs ?? []).map(({ state }) => ({
    identity: state?.participantIdentity ?? "",
    ended: state?.status === JobStatus.JS_SUCCESS || state?.status === JobStatus.JS_FAILED,
  }));
  return { id, agent, metadata, jobs };
}

function ifThere(error: unknown): void {
  if (!(error instanceof ServerError && error.status === 404)) throw error;
}

function nobodyWhereNoRoomIs(error: unknown): ParticipantInfo[] {
  if (error instanceof ServerError && error.status === 404) return [];
  throw error;
}

/** LiveKit's server answers 503 where none of its nodes has the room open. */
function noneWhereNobodyHasTheRoom(error: unknown): AgentDispatch[] {
  if (error instanceof ServerError && (error.status === 503 || error.status === 404)) return [];
  throw error;
}

function failureOf(error: unknown, url: string): StageError {
  if (error instanceof ServerError) {
    const refused = error.status === 401 || error.status === 403;
    const words = `LiveKit at ${url} answered ${error.status}: ${error.message}`;
    return new StageError("room", words, { retryable: error.status >= 500, refused, cause: error });
  }
  const late = error instanceof DOMException && error.name === "TimeoutError";
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const why = late ? `no answer within ${timeoutSeconds} s` : `${messageOf(error)}${cause}`;
  return new StageError("room", `LiveKit at ${url} could not be reached: ${why}`, {
    retryable: true,
    cause: error,
  });
}
