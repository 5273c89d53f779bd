/** A connection to Deepgram's speech synthesis: https://developers.deepgram.com/reference/text-to-speech/speak-streaming */
import * as z from "zod";
import { abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createConnection } from "./connection.ts";

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
  /** The same before anybody needs it: a failure is logged. */
  openAhead(): void;
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
  let cleared: PromiseWithResolvers<void> | undefined;
  let listener: LineListener | undefined;
  let flushes: number[] = [];
  const connection = createConnection({
    provider: "Deepgram",
    url,
    headers: { Authorization: `Token ${apiKey}` },
    clock,
    log,
    onOpen: () => flushes = [],
    onMessage: (data) => typeof data === "string" ? obey(data) : listener?.audio(data),
    onEnd(error) {
      cleared?.resolve();
      listener?.fail(error);
    },
  });
  const { open, openAhead, send, drop } = connection;

  const recentFlushes = () => {
    flushes = flushes.filter((atMs) => clock.now() - atMs < flushLimit.withinMs);
    return flushes.length;
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
    open,
    openAhead,
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
      if (!connection.socket || connection.closed) return;
      if (recentFlushes() >= flushLimit.replaceFrom) {
        drop();
        return openAhead();
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
      send({ type: "Close" });
      connection.close();
      cleared?.resolve();
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
