/**
 * Cartesia's speech synthesis on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://docs.cartesia.ai/2026-03-01/api-reference/tts/websocket
 */
import { type Clock, systemClock } from "../../src/clock.ts";
import { type SpeakOptions, speakTranscripts } from "./cartesia_contexts.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

export type { Fault };

/** A message of the client's. */
export interface InputMessage {
  readonly context_id?: string;
  readonly transcript?: string;
  readonly continue?: boolean;
  readonly flush?: boolean;
  readonly cancel?: boolean;
  readonly model_id?: string;
  readonly voice?: { readonly mode?: string; readonly id?: string };
  readonly output_format?: {
    readonly container?: string;
    readonly encoding?: string;
    readonly sample_rate?: number;
  };
  readonly language?: string;
  readonly generation_config?: {
    readonly speed?: number;
    readonly volume?: number;
    readonly emotion?: string;
  };
  readonly add_timestamps?: boolean;
  readonly use_normalized_timestamps?: boolean;
  readonly max_buffer_delay_ms?: number;
}

/** One connection as the server saw it. */
export interface Connection {
  readonly key: string | undefined;
  readonly version: string | undefined;
  /** What came, parsed, in order. */
  readonly messages: InputMessage[];
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

export interface CartesiaEmulatorOptions extends SpeakOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** What goes wrong with the `n`th connection, counted from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
}

export interface CartesiaEmulator extends SocketServer {
  /** Every connection that was opened, in order. */
  readonly connections: readonly Connection[];
}

const versions = ["2024-06-10", "2024-11-13", "2025-04-16", "2025-11-04", "2026-03-01"];

/** Starts one; disposing it ends its connections. */
export async function startCartesiaEmulator(
  options: CartesiaEmulatorOptions = {},
): Promise<CartesiaEmulator> {
  const { apiKey = "test-key", port, clock = systemClock, fault } = options;
  const connections: Connection[] = [];
  const server = await startSocketServer({
    port,
    clock,
    fault,
    accept({ pathname }, headers) {
      if (pathname !== "/tts/websocket") return 404;
      const key = headers["x-api-key"] as string | undefined;
      const version = headers["cartesia-version"] as string | undefined;
      if (apiKey !== "*" && key !== apiKey) return 401;
      if (!version || !versions.includes(version)) return 400;
      const connection: Connection = { key, version, messages: [], closed: undefined };
      connections.push(connection);
      return {
        onClose: (code) => connection.closed = code,
        serve: (socket, progress) => speakTranscripts({ socket, connection, clock, progress }, options),
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
