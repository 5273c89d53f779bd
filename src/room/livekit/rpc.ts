import { type Room, RpcError } from "@livekit/rtc-node";
import { abortable } from "../../abort.ts";
import type { Room as AgentRoom } from "../room.ts";
import { RPC_CODE, rpcFailure } from "../rpc.ts";

/** Asks the client of `to()`: remote procedure calls (https://docs.livekit.io/home/client/data/rpc/). */
export function rpcCaller(
  room: Room,
  /** The identity of the linked participant, while they are there. */
  to: () => string | undefined,
): NonNullable<AgentRoom["performRpc"]> {
  return async (method, payload, { signal, timeoutMs: responseTimeout }) => {
    const destinationIdentity = to();
    const { localParticipant } = room;
    if (destinationIdentity === undefined || !localParticipant) throw rpcFailure(RPC_CODE.notThere);
    const asked = localParticipant.performRpc({ destinationIdentity, method, payload, responseTimeout });
    try {
      return await abortable(asked, signal);
    } catch (error) {
      throw error instanceof RpcError ? rpcFailure(Number(error.code), error.message) : error;
    }
  };
}
