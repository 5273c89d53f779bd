/** A connection on which several replies are spoken, each in a context of its own. */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import {
  type Connection,
  type ConnectionOptions,
  createConnection,
  keepOpen,
  sessionEnded,
} from "./connection.ts";
import type { PooledLine, VoicePool } from "./pool.ts";
import type { TextToSpeech } from "./tts.ts";

/** A connection on which this long after a clause nothing was heard of its reply is not used again. */
const deafMs = 3_000;

/** A context that the server has not ended. `Listener` is what the reply is told by. */
export interface LiveContext<Listener> {
  readonly id: string;
  listener?: Listener | undefined;
  /** It was told to end; what is sent to it then would make it anew. */
  ended?: true;
  /** When it was first spoken on, as long as nothing has come back. */
  unheardSinceMs?: number | undefined;
}

/** What a reply, or a part of it, is spoken on. */
export interface Context {
  /** Speaks `text` without waiting for more. */
  speak(text: string): void;
  /** There is no more text: `final()` follows what is still being spoken. */
  end(): void;
  /** The listener is told nothing from now on, and what is not spoken yet is dropped. */
  release(): void;
}

/** One socket at a time, opened when it is needed. */
export interface Line<Listener> extends PooledLine {
  /** Opens the socket, unless it is; settles when it can be spoken on. */
  open(): Promise<void>;
  /** The same before anybody needs it: a failure is logged. */
  openAhead(): void;
  /** A context of its own; the socket is open. */
  context(listener: Listener): Context;
  /** Hangs up for good. */
  close(): void;
}

/** What a reply on a line is spoken with. */
export interface SpeakOptions<Listener> {
  readonly line: Line<Listener>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEnd?: () => void;
}

/**
 * A voice whose replies `speakOn` speaks: each on a line of its own, or those of a session on one. `kind`: what it speaks by,
 * the same for lines of which a session may take one that another has left; `pool`: where those are kept, if they are.
 */
export function voiceOn<Listener>(
  facts: Pick<TextToSpeech, "provider" | "model" | "output">,
  { newLine, speakOn, kind, pool, clock }: {
    readonly newLine: () => Line<Listener>;
    readonly speakOn: (
      text: ReadableStream<string>,
      options: SpeakOptions<Listener>,
    ) => ReturnType<TextToSpeech["synthesize"]>;
    readonly kind: unknown;
    readonly pool: VoicePool | undefined;
    readonly clock: Clock;
  },
): TextToSpeech {
  const voiceOf = (line: Line<Listener>): TextToSpeech => ({
    ...facts,
    synthesize: (text, { signal }) => speakOn(text, { line, clock, signal }),
  });
  return {
    ...facts,
    synthesize(text, { signal }) {
      const line = newLine();
      return speakOn(text, { line, clock, signal, onEnd: line.close });
    },
    connect(session) {
      const connected = () => {
        const line = newLine();
        return { line, voice: voiceOf(line) };
      };
      if (pool) return pool.lend(JSON.stringify(kind), connected, session);
      const { line, voice } = connected();
      keepOpen(line, session);
      return voice;
    },
  };
}

export interface ContextLineOptions extends Omit<ConnectionOptions, "onMessage" | "onEnd"> {
  readonly onMessage: (text: string) => void;
  /** The connection is gone, and its contexts with it. */
  readonly onDrop?: () => void;
}

export interface ContextLine<Listener> {
  readonly connection: Connection;
  /** By their ids. */
  readonly live: Map<string, LiveContext<Listener>>;
  /** Whether no reply is being spoken. */
  readonly idle: boolean;
  /** Whether it is open, and nothing has failed on it. */
  readonly sound: boolean;
  /** A context with an id of its own. */
  make(): LiveContext<Listener>;
  /** The context is spoken on. */
  spoke(context: LiveContext<Listener>): void;
  /** Gives the connection up when nothing was heard of the context for so long that nothing will be: true then. */
  dropIfDeaf(context: LiveContext<Listener>): boolean;
  /** The server has reported `error` of `context`, which is told. */
  failed(context: LiveContext<Listener>, error: StageError): void;
  /** Gives the connection and its contexts up; replies are not told. */
  drop(): void;
  /** The connection is of no more use: replies fail; without one it is replaced. */
  lose(error: StageError, wasOpen?: boolean): void;
  /** Hangs up for good. */
  close(): void;
}

export function createContextLine<Listener extends { fail(error: StageError): void }>(
  { onOpen, onMessage, onDrop, ...options }: ContextLineOptions,
): ContextLine<Listener> {
  const { provider, clock } = options;
  const live = new Map<string, LiveContext<Listener>>();
  let contexts = 0;
  let troubled = false;

  const listeners = () => [...live.values()].flatMap(({ listener }) => listener ?? []);
  const drop = () => {
    connection.drop();
    live.clear();
    onDrop?.();
  };
  const failAll = (error: StageError) => {
    const told = listeners();
    drop();
    for (const listener of told) listener.fail(error);
  };
  const lose = (error: StageError, wasOpen = true) => {
    const idle = listeners().length === 0;
    failAll(error);
    if (idle && wasOpen) connection.replace(error);
  };
  const connection = createConnection({
    ...options,
    onOpen() {
      troubled = false;
      onOpen?.();
    },
    onMessage: (data) => onMessage(typeof data === "string" ? data : new TextDecoder().decode(data)),
    onEnd: lose,
  });
  return {
    connection,
    live,
    get idle() {
      return listeners().length === 0;
    },
    get sound() {
      return connection.socket?.isOpen === true && !troubled;
    },
    make() {
      const context = { id: `context-${++contexts}` };
      live.set(context.id, context);
      return context;
    },
    spoke(context) {
      if (!("unheardSinceMs" in context)) context.unheardSinceMs = clock.now();
    },
    dropIfDeaf({ unheardSinceMs = Infinity }) {
      const deaf = clock.now() - unheardSinceMs >= deafMs;
      if (deaf) lose(new StageError("tts", `${provider} did not answer`, { retryable: true }));
      return deaf;
    },
    failed({ listener }, error) {
      troubled = true;
      listener?.fail(error);
    },
    drop,
    lose,
    close() {
      connection.close();
      failAll(sessionEnded());
    },
  };
}
