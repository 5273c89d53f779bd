/**
 * A connection to ElevenLabs' speech synthesis, a context for each reply:
 * https://elevenlabs.io/docs/api-reference/multi-context-websocket
 */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { openSocket, type Socket, socketError } from "../socket.ts";
import { parse, reported } from "./elevenlabs_messages.ts";
import type { Alignment } from "./elevenlabs_words.ts";

/** A connection on which nothing is sent for 20 s is closed (code 1008), unless it asked for longer: twice within that. */
const keepAliveMs = 8_000;
/** A connection holds 5 contexts; one that was cut off counts until the server has ended it. */
const mostContexts = 5;
/** A connection that lived shorter than this is not replaced before a reply needs one: the server may refuse them all. */
const livedMs = 5_000;
/** A connection on which this long after a clause not a word was heard of its reply is not used again. */
const deafMs = 3_000;

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

/** A context that the server has not ended. */
interface LiveContext {
  listener?: ContextListener | undefined;
  /** It was told to end; what is sent to it then would make it anew. */
  ended?: true;
  /** When it was first spoken on, as long as nothing has come back. */
  unheardSinceMs?: number | undefined;
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
  /** The contexts that the server has not ended. */
  const live = new Map<string, LiveContext>();

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
    }, { clock });
    socket = mine;
    return promise;
  };
  const obey = (text: string) => {
    const message = parse(text);
    if (!message) {
      return lose(new StageError("tts", "ElevenLabs sent a message that is none", { retryable: true }));
    }
    const id = message.contextId ?? "";
    const context = live.get(id);
    const listener = context?.listener;
    if (context) context.unheardSinceMs = undefined;
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
      const context: LiveContext = { listener };
      let isFirst = true;
      live.set(id, context);
      const on = socket;
      const end = () => {
        if (context.ended || socket !== on) return;
        context.ended = true;
        send({ context_id: id, close_context: true });
      };
      return {
        speak(text) {
          if (socket !== on) return;
          if (isFirst) context.unheardSinceMs = clock.now();
          isFirst = false;
          send({ text, context_id: id, flush: true });
        },
        end,
        release() {
          context.listener = undefined;
          if (closed || socket !== on) return;
          if (clock.now() - (context.unheardSinceMs ?? Infinity) >= deafMs) {
            return lose(new StageError("tts", "ElevenLabs did not answer", { retryable: true }));
          }
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
