import {
  ConnectionState,
  DisconnectReason,
  type LocalTrack,
  ParticipantKind,
  type RemoteParticipant,
  type Room,
  TrackPublishOptions,
  TrackSource,
} from "@livekit/rtc-node";
import { AudioEncoding } from "@livekit/rtc-ffi-bindings";
import type { Clock } from "../../clock.ts";
import { messageOf, StageError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { RoomEnd } from "../room.ts";
import type { RoomHandles } from "./handles.ts";
import { ON_BEHALF_ATTRIBUTE } from "./token.ts";

/**
 * Bits a second of the agent's voice while it speaks: the least for which Opus takes CELT, which keeps all frequencies and
 * takes the encoder a third of the work that SILK does in silence, and the half in speech. It sends a quarter more.
 */
const BITRATE = 64_000n;

/** Connects `room`. Rejects with a StageError of stage "room", or with the signal's reason as soon as it aborts. */
export async function connectRoom(
  room: Room,
  { url, token, all, disconnect, signal, log }: {
    readonly url: string;
    readonly token: string;
    /** Whether to receive everything everybody publishes. */
    readonly all: boolean;
    /** Leaves the room, once it is connected after all. */
    readonly disconnect: () => Promise<void>;
    readonly signal: AbortSignal;
    readonly log: Log;
  },
): Promise<void> {
  signal.throwIfAborted();
  const connected = room.connect(url, token, { autoSubscribe: all, dynacast: false });
  try {
    await unlessAborted(connected, signal);
  } catch (error) {
    // the server quotes a token that it refuses, and no token belongs in a log: the cause is left out
    if (!signal.aborted) {
      throw roomError(`cannot connect to ${url}: ${messageOf(error).replaceAll(token, "…")}`);
    }
    // a connection cannot be called off, only left as soon as it stands
    connected.then(disconnect)
      .catch(() => log.debug({ url }, "the connection that was given up had failed anyway"));
    throw error;
  }
}

/** Publishes `track` as the agent's microphone and returns the room's SID. Rejects as connectRoom does. */
export async function publishVoice(
  room: Room,
  track: LocalTrack,
  { handles, signal }: { readonly handles: RoomHandles; readonly signal: AbortSignal },
): Promise<string> {
  const published = Promise.all([room.getSid(), publish(room, track, handles)]);
  try {
    const [id] = await unlessAborted(published, signal);
    return id;
  } catch (error) {
    throw signal.aborted ? error : roomError(`cannot publish the agent's voice: ${messageOf(error)}`);
  }
}

/** Takes the agent's voice out of `room` and publishes it anew. */
export async function publishVoiceAgain(room: Room, track: LocalTrack, handles: RoomHandles): Promise<void> {
  if (await unpublishVoice(room)) await publish(room, track, handles);
}

async function publish(room: Room, track: LocalTrack, handles: RoomHandles): Promise<void> {
  const options = new TrackPublishOptions({
    source: TrackSource.SOURCE_MICROPHONE,
    audioEncoding: new AudioEncoding({ maxBitrate: BITRATE }),
  });
  const publication = await room.localParticipant?.publishTrack(track, options);
  if (publication) handles.add(publication.ffiHandle);
}

/** Takes the agent's voice out of `room`; whether the native client has let go of it, which it cannot in a room that is closed. */
export async function unpublishVoice(room: Room): Promise<boolean> {
  if (!room.isConnected) return false;
  const me = room.localParticipant;
  const sids = [...me?.trackPublications.keys() ?? []];
  const taken = await Promise.allSettled(sids.map((sid) => me?.unpublishTrack(sid)));
  return taken.every(({ status }) => status === "fulfilled");
}

/** Whether `promise` settles within `ms`. What it rejects with is logged. */
export async function settlesWithin(
  ms: number,
  promise: Promise<unknown>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  using _timer = clock.after(ms, () => late.resolve(false));
  const settled = promise.then(() => true, (error) => {
    log.warn({ error }, "leaving a room failed");
    return true;
  });
  return await Promise.race([settled, late.promise]);
}

/** Whether `room` is connected, and no agent of that name is in it but the own one, and such as wait behind another. */
export function isAlone(room: Room, agentName: string): boolean {
  const isRival = ({ kind, attributes }: RemoteParticipant) =>
    kind === ParticipantKind.AGENT && attributes["lk.agent.name"] === agentName &&
    !attributes[ON_BEHALF_ATTRIBUTE];
  return room.connectionState === ConnectionState.CONN_CONNECTED &&
    ![...room.remoteParticipants.values()].some(isRival);
}

/** What the server's reason for ending the connection means to a conversation. */
export function endOf(reason: DisconnectReason): RoomEnd {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return "closed";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return "room-deleted";
    case DisconnectReason.PARTICIPANT_REMOVED:
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "removed";
    default:
      return "disconnected";
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function roomError(message: string): StageError {
  return new StageError("room", `LiveKit: ${message}`, { retryable: true });
}
