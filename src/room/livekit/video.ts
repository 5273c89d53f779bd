import { RemoteVideoTrack, type Room, RoomEvent, TrackKind, TrackSource } from "@livekit/rtc-node";
import { abortable } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import type { RoomVideo, VideoSource } from "../room.ts";
import type { FfiClient } from "./ffi.ts";
import { keepLatest, type LatestFrame } from "./video_stream.ts";

interface VideoOptions {
  /** Whose video it is: an identity. */
  readonly of: () => string | undefined;
  readonly client: FfiClient;
  readonly clock: Clock;
  /** Aborts when the room has ended. */
  readonly closed: AbortSignal;
}

/** How long the first frame of a video is waited for, milliseconds: a screen on which nothing moves brings one a second. */
const FIRST_FRAME_MS = 2000;

/** What the sources are called by their publishers; who does not say shows a camera. */
const sources: Readonly<Record<VideoSource, readonly (TrackSource | undefined)[]>> = {
  screen: [TrackSource.SOURCE_SCREENSHARE],
  camera: [TrackSource.SOURCE_CAMERA, TrackSource.SOURCE_UNKNOWN, undefined],
};

/** Reads the videos of `room` that are subscribed to, each from the moment it is first asked for until it is shown no more. */
export function receiveVideo(room: Room, { of, client, clock, closed }: VideoOptions): RoomVideo {
  const read = new Map<RemoteVideoTrack, LatestFrame>();

  const shown = (source: VideoSource): RemoteVideoTrack | undefined => {
    const participant = room.remoteParticipants.get(of() ?? "");
    for (const { kind, source: named, muted, track } of participant?.trackPublications.values() ?? []) {
      if (kind !== TrackKind.KIND_VIDEO || muted || !sources[source].includes(named)) continue;
      if (track instanceof RemoteVideoTrack) return track;
    }
    return undefined;
  };
  /** Whatever is shown no more is let go of, so that nobody is shown what was turned off. */
  const tidy = () => {
    const tracks = [shown("camera"), shown("screen")];
    for (const [track, latest] of read) {
      if (!closed.aborted && tracks.includes(track)) continue;
      read.delete(track);
      latest[Symbol.dispose]();
    }
  };
  room.on(RoomEvent.TrackUnpublished, tidy);
  room.on(RoomEvent.TrackUnsubscribed, tidy);
  room.on(RoomEvent.TrackMuted, tidy);
  room.on(RoomEvent.ParticipantDisconnected, tidy);
  closed.addEventListener("abort", tidy, { once: true });

  return {
    async frame({ source, signal }) {
      signal.throwIfAborted();
      const track = source ? shown(source) : shown("screen") ?? shown("camera");
      if (!track || closed.aborted) return undefined;
      const latest = read.get(track) ?? keepLatest(track, client);
      read.set(track, latest);
      const late = Promise.withResolvers<void>();
      using _ = clock.after(FIRST_FRAME_MS, late.resolve);
      await abortable(Promise.race([latest.ready, late.promise]), signal);
      return latest.read();
    },
  };
}
