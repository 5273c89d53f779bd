/** LiveKit's rooms as they are now: https://docs.livekit.io/home/server/managing-rooms/ */
import { type ParticipantInfo, RoomServiceClient, ServerError } from "livekit-server-sdk";
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

/** A room as it was when it was read. */
export interface RoomNow {
  /** Unique: a room of the same name that comes later has another. */
  readonly sid: string;
  readonly name: string;
  readonly metadata: string;
  readonly participants: readonly Occupant[];
}

/** What can be asked of LiveKit about rooms. Both reject with a StageError of stage "room", in words, within 5 s. */
export interface Rooms {
  /** The SID of the room of that name, which is made where there is none. */
  ensure(name: string): Promise<string>;
  /** The room of that name; undefined when there is none. */
  find(name: string): Promise<RoomNow | undefined>;
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
  const client = new RoomServiceClient(url.replace(/^ws/, "http"), apiKey, apiSecret, {
    requestTimeout: timeoutSeconds,
    failover: false, // its attempts would add up to more than a caller waits
  });
  const ask = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      throw failureOf(error, url);
    }
  };
  return {
    async ensure(name) {
      const { sid } = await ask(client.createRoom({ name })); // of a room that is there, it changes nothing
      return sid;
    },
    async find(name) {
      const [rooms, participants] = await Promise.all([
        ask(client.listRooms([name])),
        ask(client.listParticipants(name).catch(nobodyWhereNoRoomIs)),
      ]);
      const room = rooms.find((room) => room.name === name);
      if (!room) return undefined;
      const there = participants.filter(({ state }) => state !== disconnected);
      return { sid: room.sid, name, metadata: room.metadata, participants: there.map(occupant) };
    },
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

function nobodyWhereNoRoomIs(error: unknown): ParticipantInfo[] {
  if (error instanceof ServerError && error.status === 404) return [];
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
