import type { Room } from "@livekit/rtc-node";

/** The attribute clients read from why the agent left. */
export const END_ATTRIBUTE = "repartee.close_reason";

/** Shows clients why the session ends. */
export async function showEnd(room: Room, reason: string): Promise<void> {
  if (room.isConnected) await room.localParticipant?.setAttributes({ [END_ATTRIBUTE]: reason });
}
