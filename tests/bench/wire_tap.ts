/** A wire between a provider and its emulator, on 127.0.0.1, that tells when what passed it. */
import { Buffer } from "node:buffer";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";

/** When the first bytes came from the client, and when the first result went to it; performance.now() milliseconds. */
export interface Passed {
  readonly sentMs?: number;
  readonly cameMs?: number;
}

export interface WireTap extends AsyncDisposable {
  readonly port: number;
  /** What passes from now on is new. */
  reset(): void;
  readonly passed: Passed;
}

/** Starts one to `port`; `isResult`: whether there is a whole result in what the server has sent, each byte a character. */
export async function tapWire(port: number, isResult: (sent: string) => boolean): Promise<WireTap> {
  let passed: Passed = {};
  let answer = "";
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy()); // one side hung up: so does the other
  };
  const server = createServer((client) => {
    const upstream = createConnection(port, "127.0.0.1");
    for (const socket of [client, upstream]) keep(socket);
    client.on("data", (bytes: Buffer) => {
      passed = { sentMs: performance.now(), ...passed };
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      const { sentMs, cameMs } = passed;
      if (sentMs !== undefined && cameMs === undefined) {
        answer += bytes.toString("latin1");
        if (isResult(answer)) passed = { sentMs, cameMs: performance.now() };
      }
      client.write(bytes);
    });
    client.on("close", () => upstream.end());
    upstream.on("close", () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    reset() {
      passed = {};
      answer = "";
    },
    get passed() {
      return passed;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
