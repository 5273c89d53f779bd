/** A provider's WebSocket that is there when it is needed: opened ahead, and replaced when it is lost. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { openSocket, type Socket, socketError, type SocketListener } from "../socket.ts";

/** A connection that lived shorter than this is not replaced before a reply needs one: the server may refuse them all. */
const livedMs = 5_000;
/** A connection that was idle and does not answer a ping by then is no more. */
const answerMs = 1_000;

export interface ConnectionOptions {
  /** As it is spelt ("Deepgram"). */
  readonly provider: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly onOpen?: () => void;
  readonly onMessage: SocketListener["message"];
  /** The socket is of no more use, and nobody has closed it here; `wasOpen`: it could be spoken on. */
  readonly onEnd: (error: StageError, wasOpen: boolean) => void;
}

/** One socket at a time. */
export interface Connection {
  /** Opens the socket, unless it is; settles when it can be spoken on. */
  open(): Promise<void>;
  /** The same before anybody needs it: a failure is logged. */
  openAhead(): void;
  /** Opens it ahead; or finds out, while it is used, whether an open one is still alive. */
  ready(): void;
  /** From now on what comes is told in the caller's async context. */
  adopt(): void;
  /** Sends `message` as JSON; does nothing unless the socket is open. */
  send(message: Readonly<Record<string, unknown>>): void;
  /** Gives the socket up; the next `open()` makes another. */
  drop(): void;
  /** The same with one that failed between two replies: another is made at once, unless it has only just been opened. */
  replace(error: StageError): void;
  /** What is there now: another one after `drop()`. */
  readonly socket: Socket | undefined;
  readonly closed: boolean;
  /** Hangs up for good; whoever waits for it to open is told so. */
  close(): void;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { provider, url, headers, clock, log, onOpen, onMessage, onEnd } = options;
  let socket: Socket | undefined;
  let opened: PromiseWithResolvers<void> | undefined;
  let openedMs = 0;
  let closed = false;
  let unanswered: Disposable | undefined;
  let inContext = AsyncLocalStorage.snapshot();
  const alive = () => unanswered?.[Symbol.dispose]();

  const connect = () => {
    const { promise, resolve, reject } = opened = Promise.withResolvers<void>();
    let wasOpen = false;
    const mine = socket = openSocket(url, headers, {
      open() {
        wasOpen = true;
        openedMs = clock.now();
        onOpen?.();
        resolve();
      },
      message(data) {
        alive();
        inContext(onMessage, data);
      },
      pong: alive,
      end(why) {
        alive();
        const error = socketError("tts", provider, why);
        reject(error);
        if (socket === mine) socket = undefined;
        inContext(onEnd, error, wasOpen);
      },
    }, { clock });
    return promise;
  };
  const open = () => {
    if (closed) return Promise.reject(sessionEnded());
    return socket && opened ? opened.promise : connect();
  };
  const openAhead = () => {
    open().catch((error) => log?.warn({ error }, "not connected ahead; the next reply tries again"));
  };
  const drop = () => {
    alive();
    socket?.close();
    socket = undefined;
  };
  return {
    open,
    openAhead,
    ready() {
      alive();
      openAhead();
      if (!socket?.isOpen) return;
      unanswered = clock.after(answerMs, () => {
        drop();
        inContext(
          onEnd,
          new StageError("tts", `${provider} did not answer a ping`, { retryable: true }),
          true,
        );
      });
      socket.ping();
    },
    adopt() {
      inContext = AsyncLocalStorage.snapshot();
    },
    send: (message) => socket?.send(JSON.stringify(message)),
    drop,
    replace(error) {
      drop();
      log?.info({ error }, "an idle connection was lost");
      if (clock.now() - openedMs >= livedMs) openAhead();
    },
    get socket() {
      return socket;
    },
    get closed() {
      return closed;
    },
    close() {
      closed = true;
      drop();
      opened?.reject(sessionEnded());
    },
  };
}

/** Opens `line` ahead, and keeps it for as long as a session lasts. */
export function keepOpen(
  line: Pick<Connection, "openAhead" | "close">,
  { signal }: { readonly signal: AbortSignal },
): void {
  if (signal.aborted) return line.close();
  signal.addEventListener("abort", line.close, { once: true });
  line.openAhead();
}

/** Why nothing is spoken any more. */
export const sessionEnded = (): StageError => new StageError("tts", "the session has ended");
