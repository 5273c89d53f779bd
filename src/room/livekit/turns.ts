/** The user's key to talk in a LiveKit room: remote procedure calls to the agent (https://docs.livekit.io/home/client/data/rpc/). */
import { type Room, RoomEvent, RpcError } from "@livekit/rtc-node";
import type { Participant, RoomMessage } from "../room.ts";

type Action = Extract<RoomMessage, { type: "turn" }>["action"];

/** Takes "start", "commit" or "cancel" as its payload. */
export const TURN_METHOD = "repartee.turn";
/** What push-to-talk clients of LiveKit's own examples call, with any payload. */
const ALIASES: Readonly<Record<string, Action>> = {
  start_turn: "start",
  end_turn: "commit",
  cancel_turn: "cancel",
};

/** Answers the calls of those who are heard, once the room is connected; others are refused. */
export function answerTurnCalls(
  room: Room,
  { from, push }: {
    /** Whoever of those who are heard has that identity. */
    readonly from: (identity: string) => Participant | undefined;
    readonly push: (message: RoomMessage) => void;
  },
): void {
  const take = (caller: string, action: Action | undefined): Promise<string> => {
    if (!from(caller)) {
      throw new RpcError(403, "The agent talks with somebody else; expected a call of its participant.");
    }
    if (!action) {
      throw new RpcError(400, 'The payload is not an action; expected "start", "commit" or "cancel".');
    }
    push({ type: "turn", action });
    return Promise.resolve("ok");
  };
  const participant = room.localParticipant;
  participant?.registerRpcMethod(
    TURN_METHOD,
    async ({ callerIdentity, payload }) => await take(callerIdentity, actionOf(payload)),
  );
  for (const [method, action] of Object.entries(ALIASES)) {
    participant?.registerRpcMethod(method, async ({ callerIdentity }) => await take(callerIdentity, action));
  }
  // or the native client keeps the room for its methods, which keep it
  room.once(RoomEvent.Disconnected, () => {
    for (const method of [TURN_METHOD, ...Object.keys(ALIASES)]) participant?.unregisterRpcMethod(method);
  });
}

/** The action that a payload names, by itself or as JSON: `"start"`. */
function actionOf(payload: string): Action | undefined {
  const named = payload.trim().replaceAll('"', "");
  return named === "start" || named === "commit" || named === "cancel" ? named : undefined;
}
