/** What the emulated providers' WebSocket servers have in common: handshakes, and faults on demand. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="npm:@types/ws@8.18.1"
import { type WebSocket, WebSocketServer } from "ws";
import { type Clock, systemClock } from "../../src/clock.ts";

/** What a connection does in place of what it should; `afterMs` counts the audio that went over it. */
export type Fault =
  /** Hangs up in place of a handshake. */
  | { readonly type: "refuse" }
  /** Answers the handshake with an HTTP status; `retryAfter`: seconds, in its header. */
  | { readonly type: "status"; readonly status: number; readonly retryAfter?: number }
  /** Takes the connection and never answers the handshake. */
  | { readonly type: "no-handshake" }
  /** Opens, and then neither reads, answers nor closes. */
  | { readonly type: "half-open" }
  /** Closes; 1005 sends no code, 1006 no close at all. */
  | { readonly type: "close"; readonly code: number; readonly reason?: string; readonly afterMs: number }
  /** Sends a text that is no message. */
  | { readonly type: "malformed"; readonly text: string; readonly afterMs: number }
  /** Sends a text of so many bytes. */
  | { readonly type: "oversized"; readonly bytes: number; readonly afterMs: number }
  /** Reads nothing for so many milliseconds of the clock, and then goes on. */
  | { readonly type: "slow-reader"; readonly ms: number; readonly afterMs: number };

/** A connection as the server saw it. */
export interface EmulatedConnection {
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

/** What a connection that was let in is served with. */
export interface Wire<Connection> {
  readonly socket: WebSocket;
  readonly connection: Connection;
  readonly clock: Clock;
  /** Does `act` so many milliseconds later, if the connection is open then. */
  later(ms: number, act: () => void): void;
  /** Told how much audio went over the wire in all: a fault may then end it. */
  progress(audioMs: number): void;
}

/** What any of the emulators can be told. */
export interface SocketServerOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock | undefined;
  /** What goes wrong with the `n`th connection to `path`, counted from 0. */
  readonly fault?: ((path: string, n: number) => Fault | undefined) | undefined;
}

/** Who is let in. */
export interface SocketService<Connection extends EmulatedConnection> {
  /** What the base URL has behind the port (default: nothing). */
  readonly path?: string;
  /** What is known of a connection, or the HTTP status that it is answered with. */
  accept(url: URL, headers: IncomingMessage["headers"]): Connection | number;
  serve(wire: Wire<Connection>): void;
}

export interface SocketServer<Connection = unknown> extends AsyncDisposable {
  /** The base URL to give a client: http://127.0.0.1:port, and the service's path. */
  readonly url: string;
  /** Every connection that was let in, in order. */
  readonly connections: readonly Connection[];
  /** How many sockets are open, those without a handshake included. */
  readonly open: number;
  /** Settles when no socket is open any more. */
  idle(): Promise<void>;
  /** Loses every connection. */
  drop(): void;
}

/** Starts one on 127.0.0.1; disposing it ends its connections. */
export async function startSocketServer<Connection extends EmulatedConnection>(
  { port = 0, clock = systemClock, fault }: Omit<SocketServerOptions, "apiKey">,
  { path = "", accept, serve }: SocketService<Connection>,
): Promise<SocketServer<Connection>> {
  const connections: Connection[] = [];
  const sockets = new Set<Duplex>();
  const counts = new Map<string, number>();
  const timers = new Set<Disposable>();
  let waiting: (() => void)[] = [];
  const server = createServer((_request, response) => response.writeHead(404).end());
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    const url = new URL(request.url ?? "/", "http://emulator");
    const n = counts.get(url.pathname) ?? 0;
    counts.set(url.pathname, n + 1);
    const refuse = (status: number, retryAfter?: number) => {
      const more = retryAfter === undefined ? "" : `Retry-After: ${retryAfter}\r\n`;
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n${more}Content-Length: 0\r\n\r\n`);
    };
    const wrong = fault?.(url.pathname, n);
    if (wrong?.type === "refuse") return void socket.destroy();
    if (wrong?.type === "no-handshake") return ignore(socket);
    if (wrong?.type === "status") return refuse(wrong.status, wrong.retryAfter);
    const connection = accept(url, request.headers);
    if (typeof connection === "number") return refuse(connection);
    connections.push(connection);
    if (wrong?.type === "half-open") return shakeHands(request, socket);
    upgrades.handleUpgrade(request, socket, head as never, (webSocket: WebSocket) => {
      webSocket.on("close", (code) => connection.closed = code);
      webSocket.on("error", () => {}); // a peer that vanished: its close is recorded
      let done = false;
      const progress = (audioMs: number) => {
        if (!wrong || !("afterMs" in wrong) || audioMs < wrong.afterMs || done) return;
        done = true;
        if (wrong.type === "malformed") webSocket.send(wrong.text);
        else if (wrong.type === "oversized") {
          webSocket.send(new Uint8Array(wrong.bytes).fill(0x78), { binary: false });
        } else if (wrong.type === "slow-reader") {
          webSocket.pause();
          timers.add(clock.after(wrong.ms, () => webSocket.resume()));
        } else if (wrong.code === 1006) webSocket.terminate();
        else if (wrong.code === 1005) webSocket.close();
        else webSocket.close(wrong.code, wrong.reason);
      };
      serve({ socket: webSocket, connection, clock, later: laterOn(webSocket, clock), progress });
      progress(0);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    connections,
    get open() {
      return sockets.size;
    },
    idle: () => sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve)),
    drop() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) timer[Symbol.dispose]();
      for (const client of upgrades.clients) client.terminate();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Does things later, while `socket` is open. */
function laterOn(socket: WebSocket, clock: Clock): (ms: number, act: () => void) => void {
  const timers = new Set<Disposable>();
  socket.on("close", () => {
    for (const timer of timers) timer[Symbol.dispose]();
  });
  return (ms, act) => {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      if (socket.readyState === socket.OPEN) act();
    });
    timers.add(timer);
  };
}

/** Opens a WebSocket that is deaf and mute from then on; only the end of its TCP connection is noticed. */
function shakeHands({ headers }: IncomingMessage, socket: Duplex): void {
  const accept = createHash("sha1").update(
    `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
  );
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write([...lines, `Sec-WebSocket-Accept: ${accept.digest("base64")}`, "", ""].join("\r\n"));
  ignore(socket);
}

/** Reads and forgets what comes, until the peer ends the connection. */
function ignore(socket: Duplex): void {
  socket.resume();
  socket.on("end", () => socket.destroy());
  socket.on("error", () => {}); // a peer that vanished: the socket closes
}
