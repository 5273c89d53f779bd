/** A connection to Deepgram's speech synthesis: https://developers.deepgram.com/reference/text-to-speech/speak-streaming */
import * as z from "zod";
import { abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { openSocket, type Socket, socketError } from "../socket.ts";

/**
 * Deepgram processes at most 20 Flush messages in 60 s: https://developers.deepgram.com/docs/tts-ws-flush. A reply takes
 * two, for its beginning and its end; a connection that has few left is replaced between two replies.
 */
const flushLimit = { count: 20, replaceFrom: 16, withinMs: 60_000 };
/** A connection that does not confirm a Clear by then is given up. */
const clearMs = 1_000;

const messageSchema = z.object({
  type: z.string(),
  code: z.string().optional(),
  description: z.string().optional(),
});

/** What the reply that has the line is told. */
export interface LineListener {
  audio(bytes: Uint8Array): void;
  /** Everything up to a Flush has been told. */
  flushed(): void;
  /** The last Flush is not going to be answered. */
  flushRefused(): void;
  fail(error: StageError): void;
}

/** One socket at a time, opened when it is needed; one reply at a time has it. */
export interface Line {
  /** Opens the socket, unless it is; settles when it can be spoken on. */
  open(): Promise<void>;
  /** From now on `listener` is told what comes. */
  take(listener: LineListener): void;
  speak(text: string): void;
  flush(): void;
  /** Whether there are Flush messages left for more than the end of a reply. */
  readonly canFlushEarly: boolean;
  /** Whoever has it is told nothing more. `unspoken`: what is still to come is cleared; settles when nothing is. */
  release(unspoken: boolean): Promise<void>;
  /** Hangs up for good. */
  close(): void;
}

export interface LineOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export function createLine({ url, apiKey, clock, log }: LineOptions): Line {
  let socket: Socket | undefined;
  let opened: PromiseWithResolvers<void> | undefined;
  let cleared: PromiseWithResolvers<void> | undefined;
  let listener: LineListener | undefined;
  let flushes: number[] = [];
  let closed = false;

  const recentFlushes = () => {
    flushes = flushes.filter((atMs) => clock.now() - atMs < flushLimit.withinMs);
    return flushes.length;
  };
  const send = (message: { readonly type: string; readonly text?: string }) =>
    socket?.send(JSON.stringify(message));
  const drop = () => {
    socket?.close();
    socket = undefined;
    flushes = [];
  };
  const connect = () => {
    const { promise, resolve, reject } = opened = Promise.withResolvers<void>();
    const mine = openSocket(url, { Authorization: `Token ${apiKey}` }, {
      open: resolve,
      message: (data) => typeof data === "string" ? obey(data) : listener?.audio(data),
      end: (why) => {
        const error = socketError("tts", "Deepgram", why);
        reject(error);
        if (socket === mine) drop();
        cleared?.resolve();
        listener?.fail(error);
      },
    }, { clock });
    socket = mine;
    return promise;
  };
  const obey = (text: string) => {
    const message = parse(text);
    switch (message?.type) {
      case "Metadata":
        return;
      case "Flushed":
        return listener?.flushed();
      case "Cleared":
        return cleared?.resolve();
      case "Warning":
        log?.warn({ code: message.code, description: message.description }, "Deepgram warns");
        if (/flush/i.test(`${message.code} ${message.description}`)) return listener?.flushRefused();
    }
    const said = message ? `reports ${message.code}: ${message.description}` : "sent a message that is none";
    listener?.fail(new StageError("tts", `Deepgram ${said}`, { retryable: true }));
  };

  return {
    get canFlushEarly() {
      return recentFlushes() < flushLimit.count - 1;
    },
    open() {
      if (closed) return Promise.reject(new StageError("tts", "the session has ended"));
      return socket && opened ? opened.promise : connect();
    },
    take(given) {
      listener = given;
    },
    speak: (text) => send({ type: "Speak", text }),
    flush() {
      flushes.push(clock.now());
      send({ type: "Flush" });
    },
    async release(unspoken) {
      listener = undefined;
      if (!socket || closed) return;
      if (recentFlushes() >= flushLimit.replaceFrom) {
        drop();
        connect().catch((error) => log?.warn({ error }, "not connected ahead; the next reply tries again"));
        return;
      }
      if (!unspoken) return;
      const late = new AbortController();
      using _ = clock.after(clearMs, () => late.abort());
      cleared = Promise.withResolvers();
      send({ type: "Clear" });
      try {
        await abortable(cleared.promise, late.signal);
      } catch {
        drop(); // nothing but the time limit rejects
      }
      cleared = undefined;
    },
    close() {
      closed = true;
      send({ type: "Close" });
      drop();
      cleared?.resolve();
      opened?.reject(new StageError("tts", "the session has ended"));
    },
  };
}

function parse(text: string): z.infer<typeof messageSchema> | undefined {
  try {
    return messageSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // the caller says so
  }
}
