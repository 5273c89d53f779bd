/** What a participant's client is asked to do: LiveKit's remote procedure calls, and the same over the page's socket. */

import type { Room } from "./room.ts";

/** The most that a request's payload, or an answer, may have, in bytes of UTF-8. */
export const MAX_RPC_BYTES = 15 * 1024;

/** LiveKit's codes of what can go wrong, as far as they differ (https://docs.livekit.io/home/client/data/rpc/#errors). */
export const RPC_CODE = {
  unsupported: 1400,
  notThere: 1401,
  requestTooLarge: 1402,
  failed: 1500,
  notConnected: 1501,
  notAnswered: 1502,
  left: 1503,
  answerTooLarge: 1504,
} as const;

/** How long a client may take to answer, where nothing else is said, milliseconds. */
const patienceMs = 15_000;

/** Has the client in `room` do something, where there is one that could; see `Room.performRpc()`. */
export async function askClient(
  room: Room | undefined,
  method: string,
  payload: string,
  { signal, timeoutMs = patienceMs }: {
    readonly signal: AbortSignal;
    readonly timeoutMs?: number | undefined;
  },
): Promise<string> {
  if (!room?.performRpc) throw new Error("there is no device of the user's that could do this");
  if (isTooLarge(payload)) throw rpcFailure(RPC_CODE.requestTooLarge);
  const answer = await room.performRpc(method, payload, { signal, timeoutMs });
  if (isTooLarge(answer)) throw rpcFailure(RPC_CODE.answerTooLarge); // some clients may send more
  return answer;
}

const isTooLarge = (text: string): boolean => new TextEncoder().encode(text).length > MAX_RPC_BYTES;

/** Why a client has not done what it was asked, in words that the user may hear; `message`: its own, where it gave one. */
export function rpcFailure(code: number, message = ""): Error {
  return new Error(words[code] ?? (message || "the user's device could not do it"));
}

const limit = `${MAX_RPC_BYTES.toLocaleString("en-US")} bytes`;
const words: Readonly<Record<number, string>> = {
  [RPC_CODE.unsupported]: "the user's device does not know how to do this",
  [RPC_CODE.notThere]: "the user's device is not connected at the moment",
  [RPC_CODE.requestTooLarge]: `this is more than the user's device takes at once, ${limit}`,
  [RPC_CODE.notConnected]: "the user's device cannot be reached at the moment",
  [RPC_CODE.notAnswered]: "the user's device did not answer in time; whether this was done is not known",
  [RPC_CODE.left]: "the user's device was disconnected; whether this was done is not known",
  [RPC_CODE.answerTooLarge]: `the user's device answered more than ${limit}`,
};
