import { Room } from "@livekit/rtc-node";
import { silentLog } from "../../log.ts";
import { installFfiClient } from "./ffi.ts";
import { giveBackVoice, takeVoice } from "./voice.ts";

/** The port of the discard protocol: nobody listens there, and nothing is sent to whoever does. */
const NOWHERE = "ws://127.0.0.1:9";

/**
 * Starts LiveKit's native client, and has it get as far as it can without a server: it makes its threads, reads the system's
 * certificates and prepares a connection, which is refused.
 */
export async function rehearseJoining(): Promise<void> {
  installFfiClient(silentLog);
  const connected = new Room().connect(NOWHERE, "", { autoSubscribe: false, dynacast: false });
  const voice = takeVoice();
  await connected.catch(() => {}); // as expected
  await giveBackVoice(voice);
}
