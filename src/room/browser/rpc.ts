/** What the page is asked to do, and has not answered yet. */
import type { Clock } from "../../clock.ts";
import type { Room } from "../room.ts";
import { RPC_CODE, rpcFailure } from "../rpc.ts";
import type { ClientMessage, ServerMessage } from "./wire.ts";

export interface PageRequests {
  readonly perform: NonNullable<Room["performRpc"]>;
  /** Takes in what the page answers. */
  answer(message: Extract<ClientMessage, { type: "rpc-result" | "rpc-error" }>): void;
  /** The page is gone for good: nothing is answered any more. */
  close(): void;
}

/** Requests that go out by `post`. */
export function pageRequests(
  { clock, post }: { readonly clock: Clock; readonly post: (message: ServerMessage) => void },
): PageRequests {
  const waiting = new Map<string, PromiseWithResolvers<string>>();
  let asked = 0;
  let closed = false;
  return {
    async perform(method, payload, { signal, timeoutMs }) {
      signal.throwIfAborted();
      if (closed) throw rpcFailure(RPC_CODE.notThere);
      const id = `rpc-${++asked}`;
      const answer = Promise.withResolvers<string>();
      const onAbort = () => answer.reject(signal.reason);
      waiting.set(id, answer);
      signal.addEventListener("abort", onAbort, { once: true });
      using _ = clock.after(timeoutMs, () => answer.reject(rpcFailure(RPC_CODE.notAnswered)));
      try {
        post({ type: "rpc-request", id, method, payload, timeoutMs });
        return await answer.promise;
      } finally {
        waiting.delete(id);
        signal.removeEventListener("abort", onAbort);
      }
    },
    answer(message) {
      const answer = waiting.get(message.id); // or it comes too late
      if (message.type === "rpc-result") answer?.resolve(message.payload);
      else answer?.reject(rpcFailure(message.code, message.message));
    },
    close() {
      closed = true;
      for (const answer of waiting.values()) answer.reject(rpcFailure(RPC_CODE.left));
    },
  };
}
