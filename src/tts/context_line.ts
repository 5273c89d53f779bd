/** A connection on which several replies are spoken, each in a context of its own. */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createConnection, sessionEnded } from "./connection.ts";
import type { ContextEvent, ContextProtocol } from "./context_protocol.ts";
import type { PooledLine } from "./pool.ts";

/** A connection on which this long after a clause nothing was heard of its reply is not used again. */
const deafMs = 3_000;

/** What a reply, or a part of it, is spoken on. */
export interface Context {
  /** Speaks `text` without waiting for more. */
  speak(text: string): void;
  /** There is no more text: "final" follows what is still being spoken. */
  end(): void;
  /** The listener is told nothing from now on, and what is not spoken yet is dropped. */
  cancel(): void;
}

/** Told what a context brings. A connection that is lost is an "error" of each. */
export type ContextListener = (event: ContextEvent) => void;

/** One socket at a time, opened when it is needed. */
export interface ContextLine extends PooledLine {
  /** Opens the socket, unless it is; settles when it can be spoken on. */
  open(): Promise<void>;
  /** The same before anybody needs it: a failure is logged. */
  openAhead(): void;
  /** A context of its own; the socket is open. */
  context(listener: ContextListener): Context;
  /** Makes ready for the next reply, when one is over. */
  prepare(): void;
}

/** A context that the server has not ended. */
interface LiveContext {
  readonly id: string;
  listener?: ContextListener;
  /** It was told to end; what is sent to it then would make it anew. */
  ended: boolean;
  heard: boolean;
  /** When it was first spoken on. */
  spokenOnMs?: number;
}

export function createContextLine(
  protocol: ContextProtocol,
  { clock, log }: { readonly clock: Clock; readonly log: Log | undefined },
): ContextLine {
  const { provider, url, headers, keepAlive, mostContexts = Infinity } = protocol;
  const live = new Map<string, LiveContext>();
  /** Begun ahead. */
  let spare: LiveContext | undefined;
  let contexts = 0;
  /** A context has failed. */
  let troubled = false;
  let nextKeepAlive: Disposable | undefined;

  const connection = createConnection({
    provider,
    url,
    headers,
    clock,
    log,
    onOpen() {
      troubled = false;
      if (protocol.begin) spare = begin();
      stayOpen();
    },
    onMessage: (data) => obey(typeof data === "string" ? data : new TextDecoder().decode(data)),
    onEnd: lose,
  });
  const { open, openAhead, ready, adopt, send } = connection;

  function begin(): LiveContext {
    const context = { id: `context-${++contexts}`, ended: false, heard: false };
    live.set(context.id, context);
    if (protocol.begin) send(protocol.begin(context.id));
    return context;
  }
  function stayOpen() {
    if (!keepAlive) return;
    nextKeepAlive = clock.after(keepAlive.afterMs, () => {
      for (const { id, ended } of live.values()) if (!ended) send(keepAlive.request(id));
      stayOpen();
    });
  }
  const listeners = () => [...live.values()].flatMap(({ listener }) => listener ?? []);
  const drop = () => {
    connection.drop();
    nextKeepAlive?.[Symbol.dispose]();
    live.clear();
    spare = undefined;
  };
  const failAll = (error: StageError) => {
    const told = listeners();
    drop();
    for (const listener of told) listener({ type: "error", error });
  };
  /** The connection is of no more use: replies fail; without one it is replaced. */
  function lose(error: StageError, wasOpen = true) {
    const idle = listeners().length === 0;
    failAll(error);
    if (idle && wasOpen) connection.replace(error);
  }
  const isDeaf = ({ heard, spokenOnMs = Infinity }: LiveContext) =>
    !heard && clock.now() - spokenOnMs >= deafMs;

  function obey(data: string) {
    const message = protocol.read(data);
    if (!message) {
      return lose(new StageError("tts", `${provider} sent a message that is none`, { retryable: true }));
    }
    const context = live.get(message.context ?? "");
    if (context) context.heard = true;
    for (const event of message.events) {
      if (event.type === "error" && message.context === undefined) return lose(event.error);
      if (context) tell(context, event);
    }
  }
  function tell(context: LiveContext, event: ContextEvent) {
    const { listener } = context;
    const failed = event.type === "error";
    if (failed) troubled = true;
    if (event.type === "final" || failed && (event.final || !listener)) {
      live.delete(context.id);
      if (spare === context) spare = undefined;
    }
    listener?.(event);
  }

  return {
    open,
    openAhead,
    ready,
    adopt,
    /** A context that was cut off counts until the server has ended it: what was begun of it may still come. */
    get reusable() {
      const isOpen = connection.socket?.isOpen === true;
      return isOpen && !troubled && [...live.values()].every((context) => context === spare);
    },
    context(listener) {
      const context = spare ?? begin();
      spare = undefined;
      context.listener = listener;
      const { id } = context;
      const isOpen = () => live.has(id) && !context.ended;
      const end = () => {
        if (!isOpen()) return;
        context.ended = true;
        send(protocol.end(id));
      };
      return {
        speak(text) {
          if (!isOpen()) return;
          context.spokenOnMs ??= clock.now();
          send(protocol.speak(id, text));
        },
        end,
        cancel() {
          delete context.listener;
          if (!live.has(id)) return;
          if (isDeaf(context)) {
            return lose(new StageError("tts", `${provider} did not answer`, { retryable: true }));
          }
          if (!protocol.cancel) return end();
          context.ended = true;
          send(protocol.cancel(id));
        },
      };
    },
    prepare() {
      if (!protocol.begin || spare || !connection.socket?.isOpen) return;
      if (live.size < mostContexts - 1) spare = begin();
      else if (listeners().length === 0) {
        drop();
        openAhead();
      }
    },
    close() {
      connection.close();
      failAll(sessionEnded());
    },
  };
}
