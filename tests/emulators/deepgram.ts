/**
 * Deepgram's live protocols on 127.0.0.1: /v1/listen, /v2/listen (Flux) and /v1/speak, with faults on demand.
 * https://github.com/deepgram/deepgram-api-specs
 */
import { isFlux, listenFlux } from "./deepgram_flux.ts";
import { listen, type ListenOptions } from "./deepgram_listen.ts";
import { speak, type SpeakOptions } from "./deepgram_speak.ts";
import {
  type EmulatedConnection,
  type Fault,
  type SocketServer,
  type SocketServerOptions,
  startSocketServer,
  type Wire as SocketWire,
} from "./socket_server.ts";

export type { Fault };

/** One connection as the server saw it. */
export interface Connection extends EmulatedConnection {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** The text messages that came, parsed, in order. */
  readonly messages: { readonly type: string; readonly text?: string }[];
  /** Bytes of audio that came. */
  audioBytes: number;
  /** How many pings came. */
  pings: number;
}

/** What its protocols work with. */
export type Wire = SocketWire<Connection>;
export interface DeepgramEmulatorOptions extends ListenOptions, SpeakOptions, SocketServerOptions {}
export type DeepgramEmulator = SocketServer<Connection>;

/** Starts one; disposing it ends its connections. */
export function startDeepgramEmulator(
  options: DeepgramEmulatorOptions = {},
): Promise<DeepgramEmulator> {
  const { apiKey = "test-key" } = options;
  const told = { utterances: 0 };
  return startSocketServer<Connection>(options, {
    accept(url, { authorization }) {
      const { pathname: path, searchParams: query } = url;
      if (!["/v1/listen", "/v2/listen", "/v1/speak"].includes(path)) return 404;
      if (apiKey !== "*" && authorization !== `Token ${apiKey}`) return 401;
      if (!isValid(url)) return 400;
      return {
        path,
        query,
        authorization,
        messages: [],
        audioBytes: 0,
        pings: 0,
        closed: undefined,
      };
    },
    serve(wire) {
      const { path } = wire.connection;
      if (path === "/v1/listen") listen(wire, options, told);
      else if (path === "/v2/listen") listenFlux(wire, options, told);
      else speak(wire, options);
    },
  });
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
