import { AudioSource, LocalAudioTrack } from "@livekit/rtc-node";
import type { Log } from "../../log.ts";
import { installFfiClient } from "./ffi.ts";

/**
 * Starts LiveKit's native client, which otherwise does it for the first call: that one would be connected a twentieth of a
 * second later. What it makes for it is let go of.
 */
export async function startNativeClient(log: Log): Promise<void> {
  installFfiClient(log);
  const track = LocalAudioTrack.createAudioTrack("", new AudioSource(48_000, 1));
  await track.close(); // and its source
}
