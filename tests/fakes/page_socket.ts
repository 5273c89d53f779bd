/** A page's WebSocket without a network: what the server sends is kept, what the page says is handed over at once. */
import type { PageSocket } from "../../src/room/browser/connection.ts";
import type { ClientMessage, ServerMessage } from "../../src/room/browser/wire.ts";

export interface FakePageSocket extends PageSocket {
  /** The page sends a message. */
  say(message: ClientMessage): void;
  /** The page sends anything at all. */
  receive(data: unknown): void;
  /** The network fails. */
  drop(): void;
  /** What the server sent: its messages, and its audio in one piece. */
  messages(): ServerMessage[];
  samples(): number[];
  /** How the server closed it; undefined while it has not. */
  readonly closedWith: { readonly code: number; readonly reason: string } | undefined;
}

export function fakePageSocket(): FakePageSocket {
  const target = new EventTarget();
  const sent: unknown[] = [];
  let state: number = WebSocket.OPEN;
  let closedWith: FakePageSocket["closedWith"];
  const receive = (data: unknown) => {
    if (state === WebSocket.OPEN) target.dispatchEvent(new MessageEvent("message", { data }));
  };
  const drop = () => {
    state = WebSocket.CLOSED;
    target.dispatchEvent(new Event("close"));
  };
  return {
    binaryType: "blob",
    get readyState() {
      return state;
    },
    send: (data) => void sent.push(data),
    close(code = 1005, reason = "") {
      closedWith = { code, reason };
      drop();
    },
    addEventListener: target.addEventListener.bind(target),
    receive,
    drop,
    say: (message) => receive(JSON.stringify(message)),
    messages: () => sent.filter((data) => typeof data === "string").map((data) => JSON.parse(data)),
    samples: () => sent.filter((data) => data instanceof Int16Array).flatMap((data) => [...data]),
    get closedWith() {
      return closedWith;
    },
  };
}
