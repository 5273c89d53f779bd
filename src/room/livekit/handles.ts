import type { FfiHandle } from "@livekit/rtc-ffi-bindings";
import { type LocalTrackPublication, type Room, RoomEvent } from "@livekit/rtc-node";
import { EVENT, type FfiClient } from "./ffi.ts";

/**
 * Collects the handles of what is in `room`, from before it is connected; the function that it returns gives them back,
 * once the room was left. rtc-node leaves most of them to the garbage collector, which knows nothing of what they cost:
 * with a single one left, the native client keeps all of the room (https://github.com/livekit/node-sdks/issues/514).
 */
export function collectHandles(room: Room, client: Pick<FfiClient, "off">): () => void {
  const handles = new Set<FfiHandle>();
  room.on(RoomEvent.ParticipantConnected, (participant) => handles.add(participant.ffi_handle));
  room.on(RoomEvent.ParticipantDisconnected, (participant) => handles.add(participant.ffi_handle)); // was there before
  room.on(RoomEvent.TrackPublished, (publication) => handles.add(publication.ffiHandle));
  room.on(RoomEvent.TrackSubscribed, (track) => handles.add(track.ffi_handle));
  // Before the end of a room is told, the own track is unpublished and forgotten.
  room.on(RoomEvent.LocalTrackUnpublished, (publication?: LocalTrackPublication) => {
    if (publication) handles.add(publication.ffiHandle);
  });
  return () => {
    client.off(EVENT, room["onFfiEvent"]); // rtc-node leaves it there when it was put out
    for (const participant of [room.localParticipant, ...room.remoteParticipants.values()]) {
      if (participant) handles.add(participant.ffi_handle);
      for (const { ffiHandle } of participant?.trackPublications.values() ?? []) handles.add(ffiHandle);
    }
    const own = room["ffiHandle"];
    if (own) handles.add(own);
    for (const handle of handles) handle.dispose();
  };
}
