import type { FfiHandle } from "@livekit/rtc-ffi-bindings";
import { type Room, RoomEvent } from "@livekit/rtc-node";

/**
 * Collects the handles of what is in `room`, from before it is connected; the function that it returns gives them back,
 * once the room was left. rtc-node leaves most of them to the garbage collector, which knows nothing of what they cost:
 * with a single one left, the native client keeps all of the room (https://github.com/livekit/node-sdks/issues/514).
 */
export function collectHandles(room: Room): () => void {
  const handles = new Set<FfiHandle>();
  room.on(RoomEvent.ParticipantConnected, (participant) => handles.add(participant.ffi_handle));
  room.on(RoomEvent.TrackPublished, (publication) => handles.add(publication.ffiHandle));
  room.on(RoomEvent.TrackSubscribed, (track) => handles.add(track.ffi_handle));
  return () => {
    for (const participant of [room.localParticipant, ...room.remoteParticipants.values()]) {
      if (participant) handles.add(participant.ffi_handle);
      for (const { ffiHandle } of participant?.trackPublications.values() ?? []) handles.add(ffiHandle);
    }
    const own = room["ffiHandle"];
    if (own) handles.add(own);
    for (const handle of handles) handle.dispose();
  };
}
