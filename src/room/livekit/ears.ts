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
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { Microphone } from "./microphone.ts";

/** Whom the agent listens to, and which of their tracks. */
export interface Ears {
  /** Listens to `participant` from now on, with `microphone`; by that identity to nobody else. */
  follow(participant: RemoteParticipant, microphone: Microphone): void;
  /** Listens to whoever has that identity no more: their microphone falls silent. */
  lose(identity: string): void;
  /** Settles when each track that is listened to has come, or 3 s later; rejects when `signal` aborts. */
  ready(options: { readonly signal: AbortSignal }): Promise<void>;
  /** The SID of the track of theirs that is listened to. */
  trackSid(identity: string): string | undefined;
}

/** How long a track is waited for, and how often it is looked whether it has come; milliseconds. */
const LIMIT_MS = 3_000;
const LOOK_MS = 20;

/** One who is listened to. */
interface Ear {
  readonly participant: RemoteParticipant;
  readonly microphone: Microphone;
  current: RemoteTrackPublication | undefined;
}

/**
 * Subscribes each microphone to its participant's microphone, else to any other audio of theirs, and follows it when it is
 * published anew. It ends with the room, which drops its listeners.
 */
export function openEars(
  room: Room,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Ears {
  const ears = new Map<string, Ear>();

  const attach = ({ microphone }: Ear, track: Track | undefined) => {
    if (track instanceof RemoteAudioTrack) microphone.attach(track);
  };
  const choose = (participant: RemoteParticipant | undefined) => {
    const ear = ears.get(participant?.identity ?? "");
    if (!ear) return;
    const audio = [...ear.participant.trackPublications.values()]
      .filter((publication) => publication.kind === TrackKind.KIND_AUDIO);
    const next = audio.find(({ source }) => source === TrackSource.SOURCE_MICROPHONE) ?? audio[0];
    if (next === ear.current) return;
    if (ear.current && audio.includes(ear.current)) ear.current.setSubscribed(false);
    ear.microphone.detach();
    ear.current = next;
    next?.setSubscribed(true);
    attach(ear, next?.track); // with automatic subscription it may be there already
  };

  room.on(RoomEvent.TrackPublished, (_publication, participant) => choose(participant));
  room.on(RoomEvent.TrackUnpublished, (_publication, participant) => choose(participant));
  room.on(RoomEvent.TrackSubscribed, (track, publication, { identity }) => {
    const ear = ears.get(identity);
    if (ear && publication === ear.current) attach(ear, track);
  });
  room.on(RoomEvent.TrackUnsubscribed, (_track, publication, { identity }) => {
    const ear = ears.get(identity);
    if (ear && publication === ear.current) ear.microphone.detach();
  });
  room.on(RoomEvent.TrackSubscriptionFailed, (trackSid, { identity }, reason) => {
    log.warn({ trackSid, identity, reason }, "a track could not be subscribed to");
  });
  room.on(RoomEvent.Reconnected, () => {
    for (const { current } of ears.values()) current?.setSubscribed(true);
  });

  return {
    follow(participant, microphone) {
      ears.get(participant.identity)?.microphone.detach();
      ears.set(participant.identity, { participant, microphone, current: undefined });
      choose(participant);
    },
    lose(identity) {
      ears.get(identity)?.microphone.detach();
      ears.delete(identity);
    },
    async ready({ signal }) {
      const untilMs = clock.now() + LIMIT_MS;
      const isDeaf = () => [...ears.values()].some(({ current }) => current && !current.track);
      while (isDeaf() && clock.now() < untilMs) await clock.sleep(LOOK_MS, { signal });
      if (isDeaf()) log.warn({ limitMs: LIMIT_MS }, "a microphone that is there could not be heard in time");
    },
    trackSid: (identity) => ears.get(identity)?.current?.sid,
  };
}
