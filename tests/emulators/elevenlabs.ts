/**
 * ElevenLabs' speech synthesis in contexts on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://elevenlabs.io/docs/api-reference/multi-context-websocket
 */
import { speakInContexts, type SpeakOptions } from "./elevenlabs_contexts.ts";
import {
  type EmulatedConnection,
  type Fault,
  type SocketServer,
  type SocketServerOptions,
  startSocketServer,
} from "./socket_server.ts";

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
export interface Connection extends EmulatedConnection {
  readonly voice: string;
  readonly query: URLSearchParams;
  readonly key: string | undefined;
  /** What came, parsed, in order. */
  readonly messages: ContextMessage[];
}

export interface ElevenLabsEmulatorOptions extends SpeakOptions, SocketServerOptions {}
export type ElevenLabsEmulator = SocketServer<Connection>;

/** Starts one; disposing it ends its connections. */
export function startElevenLabsEmulator(
  options: ElevenLabsEmulatorOptions = {},
): Promise<ElevenLabsEmulator> {
  const { apiKey = "test-key" } = options;
  return startSocketServer<Connection>(options, {
    accept({ pathname, searchParams: query }, headers) {
      const [, voice] = /^\/v1\/text-to-speech\/([A-Za-z0-9]+)\/multi-stream-input$/.exec(pathname) ?? [];
      if (!voice) return 404;
      const key = headers["xi-api-key"] as string | undefined;
      if (apiKey !== "*" && key !== apiKey) return 401;
      if (!isValid(query)) return 400;
      return { voice, query, key, messages: [], closed: undefined };
    },
    serve: (wire) => speakInContexts(wire, options),
  });
}

/** Whether the query asks for what there is. */
function isValid(query: URLSearchParams): boolean {
  const model = query.get("model_id") ?? "";
  const timeout = Number(query.get("inactivity_timeout") ?? 20);
  return /^eleven_(?!v3)\w+$/.test(model) &&
    /^pcm_(8000|16000|22050|24000|44100)$/.test(query.get("output_format") ?? "") &&
    timeout >= 1 && timeout <= 180;
}
