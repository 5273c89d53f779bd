/**
 * A connection to ElevenLabs' speech synthesis, a context for each reply:
 * https://elevenlabs.io/docs/api-reference/multi-context-websocket
 */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { openSocket, type Socket, socketError } from "../socket.ts";
import type { Alignment } from "./elevenlabs_words.ts";

/** A connection on which nothing is sent for 20 s is closed (code 1008), unless it asked for longer: twice within that. */
const keepAliveMs = 8_000;
/** A connection holds 5 contexts; one that was cut off counts until the server has ended it. */
const mostContexts = 5;
/** A connection that lived shorter than this is not replaced before a reply needs one: the server may refuse them all. */
const livedMs = 5_000;

const alignmentSchema = z.object({
  chars: z.array(z.string()),
  charStartTimesMs: z.array(z.number()),
  charDurationsMs: z.array(z.number()).optional(),
  /** As the older endpoint spells it. */
  charsDurationsMs: z.array(z.number()).optional(),
}).transform((times): Alignment => ({
  ...times,
  charDurationsMs: times.charDurationsMs ?? times.charsDurationsMs ?? [],
}));

const messageSchema = z.preprocess(
  camelKeys,
  z.object({
    contextId: z.string().nullish(),
    audio: z.base64().nullish().transform((text) => text ? Uint8Array.fromBase64(text) : undefined),
    alignment: alignmentSchema.nullish(),
    normalizedAlignment: alignmentSchema.nullish(),
    isFinal: z.boolean().nullish(),
    error: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    message: z.string().nullish(),
  }),
);

/** What a reply is told. */
export interface ContextListener {
  /** The next piece of the audio; whose characters it speaks comes with it, or came with a piece before. */
  audio(bytes: Uint8Array, alignment: Alignment | undefined): void;
  /** Nothing more comes. */
  final(): void;
  fail(error: StageError): void;
}

/** What one reply is spoken on. */
export interface Context {
  /** Speaks `text`, which ends with a space, without waiting for more. */
  speak(text: string): void;
  /** There is no more text: `final()` follows what is still being spoken. Before its first audio this may drop it all. */
  end(): void;
  /** The listener is told nothing from now on, and what is not spoken yet is dropped. */
  release(): void;
}

/** One socket at a time, opened when it is needed. */
export interface Line {
  /** Opens the socket, unless it is; settles when it can be spoken on. */
  open(): Promise<void>;
  /** A context of its own for a reply; the socket is open. */
  context(listener: ContextListener): Context;
  /** Hangs up for good. */
  close(): void;
}

export interface LineOptions {
  readonly url: string;
  readonly apiKey: string;
  /** How the voice speaks, as every context is told. */
  readonly voiceSettings: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export function createLine({ url, apiKey, voiceSettings, clock, log }: LineOptions): Line {
  let socket: Socket | undefined;
  let opened: PromiseWithResolvers<void> | undefined;
  let openedMs = 0;
  let keepAlive: Disposable | undefined;
  let closed = false;
  let contexts = 0;
  /** Made ahead: what a keep-alive is for, and what the next reply begins on. */
  let spare: string | undefined;
  /** The contexts that the server has not ended. `ended`: it was told to; what is sent to it then would make it anew. */
  const live = new Map<string, { listener?: ContextListener | undefined; ended?: true }>();

  const send = (message: Record<string, unknown>) => socket?.send(JSON.stringify(message));
  const make = (): string => {
    const id = `context-${++contexts}`;
    live.set(id, {});
    send({ text: " ", context_id: id, voice_settings: voiceSettings });
    return id;
  };
  const drop = () => {
    socket?.close();
    socket = undefined;
    keepAlive?.[Symbol.dispose]();
    live.clear();
    spare = undefined;
  };
  const listeners = () => [...live.values()].flatMap(({ listener }) => listener ?? []);
  const failAll = (error: StageError) => {
    const told = listeners();
    drop();
    for (const listener of told) listener.fail(error);
  };
  /** The connection is of no more use: replies fail; without one it is replaced. */
  const lose = (error: StageError, wasOpen = true) => {
    const idle = listeners().length === 0;
    failAll(error);
    if (!idle || !wasOpen) return;
    log?.info({ error }, "an idle connection was lost");
    if (clock.now() - openedMs >= livedMs) connectAhead();
  };
  const connectAhead = () => {
    connect().catch((error) => log?.warn({ error }, "not connected ahead; the next reply tries again"));
  };
  const stayOpen = () => {
    for (const [id, { ended }] of live) if (!ended) send({ text: "", context_id: id });
    keepAlive = clock.after(keepAliveMs, stayOpen);
  };
  const connect = () => {
    const { promise, resolve, reject } = opened = Promise.withResolvers<void>();
    let isOpen = false;
    const mine = openSocket(url, { "xi-api-key": apiKey }, {
      open() {
        isOpen = true;
        openedMs = clock.now();
        spare = make();
        keepAlive = clock.after(keepAliveMs, stayOpen);
        resolve();
      },
      message: (data) => obey(typeof data === "string" ? data : new TextDecoder().decode(data)),
      end(why) {
        const error = socketError("tts", "ElevenLabs", why);
        reject(error);
        if (socket === mine) lose(error, isOpen);
      },
    });
    socket = mine;
    return promise;
  };
  const obey = (text: string) => {
    const message = parse(text);
    if (!message) {
      return lose(new StageError("tts", "ElevenLabs sent a message that is none", { retryable: true }));
    }
    const id = message.contextId ?? "";
    const listener = live.get(id)?.listener;
    if (message.error) {
      const error = reported(message.error, message.code, message.message);
      return listener ? listener.fail(error) : lose(error);
    }
    if (message.audio) {
      listener?.audio(message.audio, message.alignment ?? message.normalizedAlignment ?? undefined);
    }
    if (!message.isFinal || !live.delete(id)) return;
    if (spare === id) spare = undefined;
    listener?.final();
  };

  return {
    open() {
      if (closed) return Promise.reject(new StageError("tts", "the session has ended"));
      return socket && opened ? opened.promise : connect();
    },
    context(listener) {
      const id = spare ?? make();
      spare = undefined;
      const context: NonNullable<ReturnType<typeof live.get>> = { listener };
      live.set(id, context);
      const on = socket;
      const end = () => {
        if (context.ended || socket !== on) return;
        context.ended = true;
        send({ context_id: id, close_context: true });
      };
      return {
        speak(text) {
          if (socket === on) send({ text, context_id: id, flush: true });
        },
        end,
        release() {
          context.listener = undefined;
          if (closed || socket !== on) return;
          if (live.has(id)) end();
          if (live.size < mostContexts - 1) spare ??= make();
          else if (listeners().length === 0) {
            drop();
            connectAhead();
          }
        },
      };
    },
    close() {
      closed = true;
      const error = new StageError("tts", "the session has ended");
      opened?.reject(error);
      failAll(error);
    },
  };
}

/** What the server says went wrong. */
function reported(error: string, code?: string | number | null, message?: string | null): StageError {
  const refused = /api_key|auth|permission/i.test(error);
  const retryable = !refused && !/quota|not_found|invalid|unsupported/i.test(error);
  const words = `ElevenLabs reports ${error}${code ? ` (${code})` : ""}${message ? `: ${message}` : ""}`;
  return new StageError("tts", refused ? `${words}; check ELEVENLABS_API_KEY` : words, {
    retryable,
    refused,
  });
}

function parse(text: string): z.infer<typeof messageSchema> | undefined {
  try {
    return messageSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // the caller says so
  }
}

/** Both spellings are sent: `contextId` and `context_id`, `isFinal` and `is_final`. */
function camelKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelKeys(inner),
    ]),
  );
}
