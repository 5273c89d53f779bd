import type { FfiHandle } from "@livekit/rtc-ffi-bindings";
import { type Room, RoomEvent } from "@livekit/rtc-node";
import { EVENT, type FfiClient } from "./ffi.ts";

/** The handles of one room, from before it is connected. */
export interface RoomHandles {
  /** One that rtc-node does not show later; given back at once when the others were. */
  add(handle: FfiHandle): void;
  /** Gives them all back, once the room was left. */
  giveBack(): void;
}

/**
 * Collects the handles of what is in `room`. rtc-node leaves most of them to the garbage collector, which knows nothing of
 * what they cost: with a single one left, the native client keeps all of the room
 * (https://github.com/livekit/node-sdks/issues/514).
 */
export function collectHandles(room: Room, client: Pick<FfiClient, "off">): RoomHandles {
  const handles = new Set<FfiHandle>();
  let over = false;
  room.on(RoomEvent.ParticipantConnected, (participant) => handles.add(participant.ffi_handle));
  room.on(RoomEvent.ParticipantDisconnected, (participant) => handles.add(participant.ffi_handle)); // was there before
  room.on(RoomEvent.TrackPublished, (publication) => handles.add(publication.ffiHandle));
  room.on(RoomEvent.TrackSubscribed, (track) => handles.add(track.ffi_handle));
  return {
    add(handle) {
      if (over) handle.dispose();
      else handles.add(handle);
    },
    giveBack() {
      over = true;
      client.off(EVENT, room["onFfiEvent"]); // rtc-node leaves it there when it was put out
      for (const participant of [room.localParticipant, ...room.remoteParticipants.values()]) {
        if (participant) handles.add(participant.ffi_handle);
        for (const { ffiHandle } of participant?.trackPublications.values() ?? []) handles.add(ffiHandle);
      }
      const own = room["ffiHandle"];
      if (own) handles.add(own);
      for (const handle of handles) handle.dispose();
    },
  };
}
