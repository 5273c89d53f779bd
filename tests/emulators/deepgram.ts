/**
 * Deepgram's live protocols on 127.0.0.1: /v1/listen, /v2/listen (Flux) and /v1/speak, with faults on demand.
 * https://github.com/deepgram/deepgram-api-specs
 */
// @ts-types="npm:@types/ws@8.18.1"
import type { WebSocket } from "ws";
import { type Clock, systemClock } from "../../src/clock.ts";
import { isFlux, listenFlux } from "./deepgram_flux.ts";
import { listen, type ListenOptions } from "./deepgram_listen.ts";
import { speak, type SpeakOptions } from "./deepgram_speak.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

export type { Fault };

/** One connection as the server saw it. */
export interface Connection {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** The text messages that came, parsed, in order. */
  readonly messages: { readonly type: string; readonly text?: string }[];
  /** Bytes of audio that came. */
  audioBytes: number;
  /** How many pings came. */
  pings: number;
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

/** What both protocols work with. */
export interface Wire {
  readonly socket: WebSocket;
  readonly connection: Connection;
  readonly clock: Clock;
  /** Tells how much audio went over the wire in all (listen: came, speak: was sent); a fault may end it. */
  progress(audioMs: number): void;
}

export interface DeepgramEmulatorOptions extends ListenOptions, SpeakOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** What goes wrong with the `n`th connection to `path`, counted from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
}

export interface DeepgramEmulator extends SocketServer {
  /** Every connection that was opened, in order. */
  readonly connections: readonly Connection[];
}

/** Starts one; disposing it ends its connections. */
export async function startDeepgramEmulator(
  options: DeepgramEmulatorOptions = {},
): Promise<DeepgramEmulator> {
  const { apiKey = "test-key", port, clock = systemClock, fault } = options;
  const connections: Connection[] = [];
  const told = { utterances: 0 };
  const server = await startSocketServer({
    port,
    clock,
    fault,
    accept(url, { authorization }) {
      const { pathname: path, searchParams: query } = url;
      if (!["/v1/listen", "/v2/listen", "/v1/speak"].includes(path)) return 404;
      if (apiKey !== "*" && authorization !== `Token ${apiKey}`) return 401;
      if (!isValid(url)) return 400;
      const connection: Connection = {
        path,
        query,
        authorization,
        messages: [],
        audioBytes: 0,
        pings: 0,
        closed: undefined,
      };
      connections.push(connection);
      return {
        onClose: (code) => connection.closed = code,
        serve(socket, progress) {
          const wire: Wire = { socket, connection, clock, progress };
          if (path === "/v1/listen") listen(wire, options, told);
          else if (path === "/v2/listen") listenFlux(wire, options, told);
          else speak(wire, options);
        },
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

/** Whether the query asks for what the emulator can do: raw PCM of a known rate. */
function isValid({ pathname, searchParams }: URL): boolean {
  const rate = Number(searchParams.get("sample_rate"));
  const model = searchParams.get("model") ?? "";
  if (searchParams.get("encoding") !== "linear16") return false;
  if (pathname === "/v2/listen") return isFlux(searchParams);
  if (pathname === "/v1/listen") return /^nova-/.test(model) && rate >= 8_000 && rate <= 48_000;
  return /^aura-/.test(model) && [8_000, 16_000, 24_000, 32_000, 48_000].includes(rate);
}
