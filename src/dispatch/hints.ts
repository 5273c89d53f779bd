/** What LiveKit's webhooks tell: https://docs.livekit.io/home/server/webhooks/ Only hints; the room itself says what is so. */
import * as z from "zod";

/** What may have happened in a room. */
export type Hint =
  & { readonly room: string; readonly roomSid: string | undefined }
  & (
    /** Somebody came; `started`: the room itself is new. */
    | { readonly type: "arrival"; readonly started: boolean }
    /** Somebody left for good. */
    | { readonly type: "departure"; readonly identity: string }
    | { readonly type: "room-end" }
  );

/** A webhook as far as it matters here: a hint, or why it is none. `event`: its name, as LiveKit has it. */
export type Webhook =
  & { readonly id: string | undefined; readonly event: string }
  & ({ readonly hint: Hint } | { readonly ignored: string });

const text = z.string().min(1).optional().catch(undefined);
const eventSchema = z.object({
  event: z.string(),
  id: text,
  room: z.object({ name: text, sid: text }).optional().catch(undefined),
  participant: z.object({
    identity: text,
    // Names, as protobuf's JSON has them; numbers are allowed by it too.
    kind: z.union([z.string(), z.number()]).optional().catch(undefined),
    disconnectReason: z.union([z.string(), z.number()]).optional().catch(undefined),
  }).optional().catch(undefined),
});

/** Those who start nothing, by ParticipantInfo.Kind. */
const servants: ReadonlySet<unknown> = new Set(["AGENT", "EGRESS", "INGRESS", 4, 2, 1]);
/** DisconnectReasons after which nobody comes back by themselves. A connection that was lost may be found again. */
const finalReasons: ReadonlySet<unknown> = new Set([
  "CLIENT_INITIATED",
  "ROOM_DELETED",
  "USER_REJECTED",
  1,
  5,
  12,
]);

/** Reads a webhook's body. Throws what JSON.parse does, or a ZodError, when it is none. */
export function readWebhook(body: string): Webhook {
  const { event, id, room, participant } = eventSchema.parse(JSON.parse(body));
  const hint = (
    hint: { readonly type: "arrival"; started: boolean } | { type: "room-end" } | {
      type: "departure";
      identity: string;
    },
  ): Webhook =>
    room?.name === undefined
      ? { id, event, ignored: "it names no room" }
      : { id, event, hint: { ...hint, room: room.name, roomSid: room.sid } };
  switch (event) {
    case "room_started":
      return hint({ type: "arrival", started: true });
    case "participant_joined":
      if (servants.has(participant?.kind)) return { id, event, ignored: "an agent, egress or ingress came" };
      return hint({ type: "arrival", started: false });
    case "room_finished":
      return hint({ type: "room-end" });
    case "participant_left":
      if (!finalReasons.has(participant?.disconnectReason) || participant?.identity === undefined) {
        return { id, event, ignored: "whoever left may come back" };
      }
      return hint({ type: "departure", identity: participant.identity });
    default:
      return { id, event, ignored: "it starts and ends nothing" };
  }
}
