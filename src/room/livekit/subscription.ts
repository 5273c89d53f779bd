import {
  RemoteAudioTrack,
  type RemoteParticipant,
  type RemoteTrackPublication,
  type Room,
  RoomEvent,
  type Track,
  TrackKind,
  TrackSource,
} from "@livekit/rtc-node";
import type { Log } from "../../log.ts";
import type { Microphone } from "./microphone.ts";

/** Which track of the linked participant the agent listens to. */
export interface Subscription {
  /** Listens to `participant` from now on; to nobody when undefined. */
  follow(participant: RemoteParticipant | undefined): void;
  /** The SID of the track that is listened to. */
  readonly trackSid: string | undefined;
}

/**
 * Subscribes `microphone` to the participant's microphone, else to any other audio of theirs, and follows it when it is
 * published anew. It ends with the room, which drops its listeners.
 */
export function subscribeMicrophone(
  room: Room,
  { microphone, log }: { readonly microphone: Microphone; readonly log: Log },
): Subscription {
  let followed: RemoteParticipant | undefined;
  let current: RemoteTrackPublication | undefined;

  const attach = (track: Track | undefined) => {
    if (track instanceof RemoteAudioTrack) microphone.attach(track);
  };
  const choose = () => {
    const audio = [...followed?.trackPublications.values() ?? []]
      .filter((publication) => publication.kind === TrackKind.KIND_AUDIO);
    const next = audio.find(({ source }) => source === TrackSource.SOURCE_MICROPHONE) ?? audio[0];
    if (next === current) return;
    if (current && audio.includes(current)) current.setSubscribed(false);
    microphone.detach();
    current = next;
    next?.setSubscribed(true);
    // with automatic subscription the track may be there already
    attach(
      room.remoteParticipants.get(followed?.identity ?? "")?.trackPublications.get(next?.sid ?? "")?.track,
    );
  };

  room.on(RoomEvent.TrackPublished, choose);
  room.on(RoomEvent.TrackUnpublished, choose);
  room.on(RoomEvent.TrackSubscribed, (track, publication) => {
    if (publication === current) attach(track);
  });
  room.on(RoomEvent.TrackUnsubscribed, (_track, publication) => {
    if (publication === current) microphone.detach();
  });
  room.on(RoomEvent.TrackSubscriptionFailed, (trackSid, { identity }, reason) => {
    log.warn({ trackSid, identity, reason }, "a track could not be subscribed to");
  });
  room.on(RoomEvent.Reconnected, () => current?.setSubscribed(true));

  return {
    follow(participant) {
      followed = participant;
      microphone.detach();
      choose();
    },
    get trackSid() {
      return current?.sid;
    },
  };
}
