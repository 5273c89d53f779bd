/** What clients see of the agent: the state it is in, and behind whom it hides. */
import { type Room, RoomEvent } from "@livekit/rtc-node";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { ON_BEHALF_ATTRIBUTE, STATE_ATTRIBUTE } from "./token.ts";

/** By name; LiveKit forgets what is set to nothing. */
export type Attributes = Readonly<Record<string, string>>;

export interface AttributePublisher {
  /**
   * Shows these besides those before, one update at a time; values that were overtaken are skipped, failures logged. Settles
   * when all that was asked for by then was sent.
   */
  show(attributes: Attributes): Promise<void>;
  /** The agent may have joined anew, with what its token says: shows all of them again. */
  showAgain(): void;
}

/** Settles when clients see the agent of that identity, which hides behind nobody. */
export async function whenSeen(room: Room, identity: string): Promise<void> {
  const isSeen = () => {
    const agent = room.remoteParticipants.get(identity);
    return agent !== undefined && !agent.attributes[ON_BEHALF_ATTRIBUTE];
  };
  const seen = Promise.withResolvers<void>();
  const look = () => {
    if (isSeen()) seen.resolve();
  };
  room.on(RoomEvent.ParticipantAttributesChanged, look);
  look();
  await seen.promise.finally(() => room.off(RoomEvent.ParticipantAttributesChanged, look));
}

/** Begins with the state that the token says. `set`: tells the server, and settles when it knows. */
export function attributePublisher({ set, clock, log }: {
  readonly set: (attributes: Record<string, string>) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}): AttributePublisher {
  let wanted: Attributes = {};
  let shown: Attributes = { [STATE_ATTRIBUTE]: "initializing" };
  let sent: Promise<void> = Promise.resolve();
  let sending = false;
  const due = () => Object.entries(wanted).filter(([name, value]) => shown[name] !== value);
  const send = async () => {
    sending = true;
    while (due().length > 0) {
      await clock.sleep(0); // a native call is not to delay what the state was changed for
      const next = Object.fromEntries(due());
      shown = { ...shown, ...next };
      try {
        await set(next);
      } catch (error) {
        log.debug({ error, attributes: next }, "the agent's attributes could not be shown");
      }
    }
    sending = false;
  };
  return {
    show(attributes) {
      wanted = { ...wanted, ...attributes };
      if (!sending) sent = send();
      return sent;
    },
    showAgain() {
      shown = {};
      if (!sending) sent = send();
    },
  };
}
