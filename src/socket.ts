/** WebSockets to providers: they say why they failed, and they surely end. */
// @ts-types="npm:@types/ws@8.18.1"
import { type ClientOptions, WebSocket } from "ws"; // not the platform's: that one hides a refusal's status and cannot drop a dead peer
import type { Clock } from "./clock.ts";
import { type Stage, StageError } from "./errors.ts";

/** How long a handshake may take, and a peer may take to answer a close before it is cut off; milliseconds. */
const timeoutMs = { handshake: 5_000, close: 500 };
/** No provider's message is longer, in bytes; one that is ends the connection. */
const longestMessage = 8 * 1024 * 1024;

/** Why a socket is no more. */
export type SocketEnd =
  | { readonly type: "closed"; readonly code: number; readonly reason: string }
  /** The server answered the handshake with an HTTP status other than 101. */
  | { readonly type: "refused"; readonly status: number }
  | { readonly type: "unreachable"; readonly cause: Error };

export interface SocketListener {
  open(): void;
  message(data: string | Uint8Array): void;
  /** The peer has answered a `ping()`. */
  pong?(): void;
  /** Told once, unless `close()` came first; nothing follows. */
  end(end: SocketEnd): void;
}

export interface Socket {
  readonly isOpen: boolean;
  /** Sends a text or a binary message; does nothing unless the socket is open. */
  send(data: string | Uint8Array): void;
  /**
   * Sends a ping, for a peer that closes connections on which nothing comes, or one that is rightly quiet; does nothing unless
   * the socket is open.
   */
  ping(): void;
  /** Closes it; the listener is told nothing from now on. The connection is gone within half a second. */
  close(): void;
}

/** Connects to `url` (ws: or wss:). */
export function openSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  listener: SocketListener,
  { clock }: { readonly clock: Clock },
): Socket {
  const options: ClientOptions & { closeTimeout: number } = {
    headers,
    perMessageDeflate: false,
    maxPayload: longestMessage,
    closeTimeout: timeoutMs.close,
  };
  const socket = new WebSocket(url, options);
  let over = false;
  let opened = false;
  const end = (why: SocketEnd) => {
    if (over) return;
    over = true;
    handshake[Symbol.dispose]();
    listener.end(why);
  };
  const handshake = clock.after(timeoutMs.handshake, () => {
    const cause = new Error(`it did not answer the handshake within ${timeoutMs.handshake / 1000} s`);
    end({ type: "unreachable", cause });
    socket.terminate();
  });
  socket.on("open", () => {
    opened = true;
    handshake[Symbol.dispose]();
    if (!over) listener.open();
  });
  socket.on("message", (data, isBinary) => {
    if (over) return;
    const bytes = data as Uint8Array; // "nodebuffer", the default binary type
    listener.message(isBinary ? bytes : new TextDecoder().decode(bytes));
  });
  socket.on("pong", () => {
    if (!over) listener.pong?.();
  });
  socket.on("unexpected-response", (request, { statusCode = 0 }) => {
    request.destroy();
    end({ type: "refused", status: statusCode });
  });
  socket.on("error", (cause) => {
    // Once it was open, the close that follows tells the code as well.
    if (!opened) end({ type: "unreachable", cause });
  });
  socket.on("close", (code, reason) => end({ type: "closed", code, reason: reason.toString() }));
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    send(data) {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
    ping() {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    close() {
      over = true;
      handshake[Symbol.dispose]();
      socket.close(1000);
    },
  };
}

/** `end` as the failure of `stage`, in words for an operator; `provider` as it is spelt ("Deepgram"). */
export function socketError(stage: Stage, provider: string, end: SocketEnd): StageError {
  const fail = (message: string, retryable: boolean, more: { cause?: Error; refused?: boolean } = {}) =>
    new StageError(stage, `${provider} ${message}`, { retryable, ...more });
  switch (end.type) {
    case "unreachable":
      return fail(`cannot be reached: ${end.cause.message}`, true, { cause: end.cause });
    case "closed":
      return fail(
        `closed the connection with code ${end.code}${
          end.reason && `: ${end.reason}`
        }; expected it to stay open`,
        true,
      );
    case "refused":
      return fail(...refusal(provider, end.status), { refused: isRefusal(end.status) });
  }
}

function refusal(provider: string, status: number): [message: string, retryable: boolean] {
  if (isRefusal(status)) {
    return [`refused the key (${status}): check ${provider.toUpperCase()}_API_KEY`, false];
  }
  if (status === 402) return [`refused the connection (402): the account has no credit left`, false];
  if (status === 429) {
    return [`refused the connection (429): too many at once; raise the account's limit or make fewer`, true];
  }
  if (status >= 500) return [`refused the connection (${status}): it has a problem of its own`, true];
  return [`refused the connection (${status}): check the model, the language and the base URL`, false];
}

/** Whether the key was not taken. */
const isRefusal = (status: number): boolean => status === 401 || status === 403;
