import { type Room, RoomEvent } from "@livekit/rtc-node";
import { abortable } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";

/** A participant who has not subscribed by then perhaps never will: they may have no loudspeaker. */
const LIMIT_MS = 3_000;

/**
 * Waits until somebody has subscribed to the agent's voice: what is played before is heard by nobody, since a track that
 * is not subscribed to is not sent. To be made before the voice is published; each wait lasts 3 s at the most. After the
 * first the voice is published `again`, once: a client that has missed it would hear nothing for as long as it is there.
 */
export function whenAudible(
  room: Room,
  { again, clock, log }: {
    readonly again: () => Promise<void>;
    readonly clock: Clock;
    readonly log: Log;
  },
): (options: { readonly signal: AbortSignal }) => Promise<void> {
  const subscribed = Promise.withResolvers<void>();
  room.once(RoomEvent.LocalTrackSubscribed, () => subscribed.resolve());
  let isAgain = false;
  const publishAgain = async () => {
    if (isAgain) return;
    isAgain = true;
    try {
      await again();
    } catch (error) {
      log.warn({ error }, "the agent's voice could not be published again");
    }
  };
  return async ({ signal }) => {
    const late = Promise.withResolvers<void>();
    using _timer = clock.after(LIMIT_MS, () => {
      log.warn({ limitMs: LIMIT_MS }, "nobody has subscribed to the agent's voice; it speaks all the same");
      void publishAgain();
      late.resolve();
    });
    await abortable(Promise.race([subscribed.promise, late.promise]), signal);
  };
}
