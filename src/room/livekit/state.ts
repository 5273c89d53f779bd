import { type Room, RoomEvent } from "@livekit/rtc-node";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { AgentState } from "../room.ts";
import { ON_BEHALF_ATTRIBUTE, STATE_ATTRIBUTE } from "./token.ts";

/** Shows the agent's state to clients, one update at a time; states that were overtaken are skipped, failures logged. */
export function statePublisher(
  room: Room,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): (state: AgentState) => void {
  let wanted: AgentState = "initializing"; // what the token says
  let shown: AgentState | undefined = wanted;
  let sending = false;
  const send = async () => {
    sending = true;
    while (wanted !== shown) {
      await clock.sleep(0); // a native call is not to delay what the state was changed for
      shown = wanted;
      try {
        await room.localParticipant?.setAttributes({ [STATE_ATTRIBUTE]: shown });
      } catch (error) {
        log.debug({ error, state: shown }, "the agent's state could not be shown");
      }
    }
    sending = false;
  };
  room.on(RoomEvent.Reconnected, () => {
    shown = undefined; // it may have joined anew, with what the token says
    if (!sending) send();
  });
  return (state) => {
    wanted = state;
    if (!sending) send();
  };
}

/** The attribute clients read from why the agent left. */
export const END_ATTRIBUTE = "repartee.close_reason";

/** Shows clients why the session ends. */
export async function showEnd(room: Room, reason: string): Promise<void> {
  if (room.isConnected) await room.localParticipant?.setAttributes({ [END_ATTRIBUTE]: reason });
}

/** Hides the agent behind that of `identity`, or shows it: LiveKit forgets an attribute that is set to nothing. */
export async function publishOnBehalf(room: Room, identity = ""): Promise<void> {
  await room.localParticipant?.setAttributes({ [ON_BEHALF_ATTRIBUTE]: identity });
}
