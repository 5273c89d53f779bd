/**
 * ElevenLabs' speech synthesis in contexts on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://elevenlabs.io/docs/api-reference/multi-context-websocket
 */
import { type Clock, systemClock } from "../../src/clock.ts";
import { speakInContexts, type SpeakOptions } from "./elevenlabs_contexts.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

export type { Fault };

/** A message of the client's. */
export interface ContextMessage {
  readonly text?: string;
  readonly context_id?: string;
  readonly flush?: boolean;
  readonly close_context?: boolean;
  readonly close_socket?: boolean;
  readonly voice_settings?: Readonly<Record<string, unknown>>;
}

/** One connection as the server saw it. */
export interface Connection {
  readonly voice: string;
  readonly query: URLSearchParams;
  readonly key: string | undefined;
  /** What came, parsed, in order. */
  readonly messages: ContextMessage[];
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

export interface ElevenLabsEmulatorOptions extends SpeakOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** What goes wrong with the `n`th connection, counted from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
}

export interface ElevenLabsEmulator extends SocketServer {
  /** Every connection that was opened, in order. */
  readonly connections: readonly Connection[];
}

/** Starts one; disposing it ends its connections. */
export async function startElevenLabsEmulator(
  options: ElevenLabsEmulatorOptions = {},
): Promise<ElevenLabsEmulator> {
  const { apiKey = "test-key", port, clock = systemClock, fault } = options;
  const connections: Connection[] = [];
  const server = await startSocketServer({
    port,
    clock,
    fault,
    accept({ pathname, searchParams: query }, headers) {
      const [, voice] = /^\/v1\/text-to-speech\/([A-Za-z0-9]+)\/multi-stream-input$/.exec(pathname) ?? [];
      if (!voice) return 404;
      const key = headers["xi-api-key"] as string | undefined;
      if (apiKey !== "*" && key !== apiKey) return 401;
      if (!isValid(query)) return 400;
      const connection: Connection = { voice, query, key, messages: [], closed: undefined };
      connections.push(connection);
      return {
        onClose: (code) => connection.closed = code,
        serve: (socket, progress) => speakInContexts({ socket, connection, clock, progress }, options),
      };
    },
  });
  return {
    url: server.url,
    connections,
    get open() {
      return server.open;
    },
    idle: server.idle,
    drop: server.drop,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Whether the query asks for what there is. */
function isValid(query: URLSearchParams): boolean {
  const model = query.get("model_id") ?? "";
  const timeout = Number(query.get("inactivity_timeout") ?? 20);
  return /^eleven_(?!v3)\w+$/.test(model) &&
    /^pcm_(8000|16000|22050|24000|44100)$/.test(query.get("output_format") ?? "") &&
    timeout >= 1 && timeout <= 180;
}
