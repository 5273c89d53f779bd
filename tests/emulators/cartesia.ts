/**
 * Cartesia's speech synthesis on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://docs.cartesia.ai/2026-03-01/api-reference/tts/websocket
 */
import { type SpeakOptions, speakTranscripts } from "./cartesia_contexts.ts";
import {
  type EmulatedConnection,
  type Fault,
  type SocketServer,
  type SocketServerOptions,
  startSocketServer,
} from "./socket_server.ts";

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
export interface Connection extends EmulatedConnection {
  readonly key: string | undefined;
  readonly version: string | undefined;
  /** What came, parsed, in order. */
  readonly messages: InputMessage[];
}

export interface CartesiaEmulatorOptions extends SpeakOptions, SocketServerOptions {}
export type CartesiaEmulator = SocketServer<Connection>;

const versions = ["2024-06-10", "2024-11-13", "2025-04-16", "2025-11-04", "2026-03-01"];

/** Starts one; disposing it ends its connections. */
export function startCartesiaEmulator(
  options: CartesiaEmulatorOptions = {},
): Promise<CartesiaEmulator> {
  const { apiKey = "test-key" } = options;
  return startSocketServer<Connection>(options, {
    accept({ pathname }, headers) {
      if (pathname !== "/tts/websocket") return 404;
      const key = headers["x-api-key"] as string | undefined;
      const version = headers["cartesia-version"] as string | undefined;
      if (apiKey !== "*" && key !== apiKey) return 401;
      if (!version || !versions.includes(version)) return 400;
      return { key, version, messages: [], closed: undefined };
    },
    serve: (wire) => speakTranscripts(wire, options),
  });
}
