/** A real livekit-server for tests, on free ports of the loopback interface. */
import { RoomServiceClient } from "livekit-server-sdk";
import { readLines } from "./lines.ts";

export interface LiveKitServer extends AsyncDisposable {
  /** `ws://…` */
  readonly url: string;
  readonly httpUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly pid: number;
  /** What it wrote to its log up to now, where that was asked for. */
  readonly output: string;
  /** Stops the process at once, as a crash would. */
  kill(): Promise<void>;
}

export interface LiveKitServerOptions {
  /** Where its webhooks go (default: nowhere). */
  readonly webhookUrl?: string;
  /** In place of a port that is free, and a new secret: those of one that was there before. */
  readonly like?: Pick<LiveKitServer, "url" | "apiSecret">;
  /** Makes it one of a cluster, with the others that have the same Redis and secret: `redis://:password@host:port`. */
  readonly cluster?: { readonly redisUrl: string; readonly apiSecret: string };
  /** How long a room is kept that only agents are left in, in seconds (default: 3; LiveKit's own: 20). */
  readonly departureTimeoutS?: number;
  /** Whether it writes a log, and what happens to it goes in there. */
  readonly logs?: boolean;
}

const MODULE = "github.com/livekit/livekit-server/cmd/server@v1.11.0";
const HOW =
  `set LIVEKIT_SERVER_BIN, put livekit-server on PATH (https://docs.livekit.io/home/self-hosting/local/), ` +
  `or install Go to have it built`;
const START_MS = 15_000;
/** A port that was free may be taken by the time the server opens it: then it is started again on others. */
const ATTEMPTS = 3;

/**
 * Starts livekit-server: `LIVEKIT_SERVER_BIN`, the one on PATH, or one built with Go into the cache folder. Returns
 * undefined when it cannot be had, and says how to get it; throws then when `CI` is set.
 */
export async function startLiveKitServer(
  options: LiveKitServerOptions = {},
): Promise<LiveKitServer | undefined> {
  const binary = await findBinary();
  if (!binary) {
    if (Deno.env.get("CI") === "true") throw new Error(`livekit-server is missing: ${HOW}`);
    console.log(`skipped, livekit-server is missing: ${HOW}`);
    return undefined;
  }
  for (let attempt = 1;; attempt++) {
    const server = await start(binary, options);
    if (server) return server;
    if (attempt === ATTEMPTS) throw new Error(`livekit-server ended as it started, ${ATTEMPTS} times`);
  }
}

/** Starts `binary`; undefined when it ends before it is ready. */
async function start(
  binary: string,
  { webhookUrl, like, cluster, departureTimeoutS = 3, logs = false }: LiveKitServerOptions,
): Promise<LiveKitServer | undefined> {
  const port = like ? Number(new URL(like.url).port) : freePort();
  const [tcpPort, udpPort] = [freePort(), freePort()];
  const apiKey = "devkey";
  const apiSecret = (like ?? cluster)?.apiSecret ?? crypto.randomUUID() + crypto.randomUUID();
  // The STUN server is none: those of the default would be looked up by every client, with a thread for each address.
  const config = `
port: ${port}
bind_addresses: [127.0.0.1]
rtc:
  tcp_port: ${tcpPort}
  udp_port: ${udpPort}
  use_external_ip: false
  node_ip: 127.0.0.1
  interfaces: {includes: [lo]}
  enable_loopback_candidate: true
  stun_servers: ["127.0.0.1:${udpPort}"]
keys: {${apiKey}: ${apiSecret}}
logging: {level: ${logs ? "info" : "warn"}}
room: {empty_timeout: 5, departure_timeout: ${departureTimeoutS}}
${webhookUrl === undefined ? "" : `webhook: {api_key: ${apiKey}, urls: ["${webhookUrl}"]}`}
${cluster ? redisOf(cluster.redisUrl) : ""}
`;
  const child = new Deno.Command(binary, {
    args: ["--config-body", config],
    stdin: "null",
    stdout: "null",
    stderr: logs ? "piped" : "null",
  }).spawn();
  let output = "";
  const read = async () => {
    for await (const line of readLines(child.stderr)) output += `${line}\n`;
  };
  const reading = logs ? read() : undefined;
  const stop = async (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended already
    }
    await child.status;
    await reading;
  };
  const httpUrl = `http://127.0.0.1:${port}`;
  const ended = new AbortController();
  child.status.then(() => ended.abort());
  try {
    await untilReady(httpUrl, apiKey, apiSecret, ended.signal);
  } catch (error) {
    await stop("SIGKILL");
    throw error;
  }
  if (ended.signal.aborted) return undefined;
  return {
    url: `ws://127.0.0.1:${port}`,
    httpUrl,
    apiKey,
    apiSecret,
    pid: child.pid,
    get output() {
      return output;
    },
    kill: () => stop("SIGKILL"),
    [Symbol.asyncDispose]: () => stop("SIGKILL"),
  };
}

/** Where its Redis is, as its configuration has it. */
function redisOf(url: string): string {
  const { host, password } = new URL(url);
  return `redis: {address: "${host}", password: ${JSON.stringify(decodeURIComponent(password))}}`;
}

async function untilReady(
  httpUrl: string,
  apiKey: string,
  apiSecret: string,
  ended: AbortSignal,
): Promise<void> {
  const client = new RoomServiceClient(httpUrl, apiKey, apiSecret);
  const giveUpAt = Date.now() + START_MS;
  while (!ended.aborted) {
    try {
      await client.listRooms();
      return;
    } catch (error) {
      if (Date.now() > giveUpAt) throw new Error("livekit-server did not start", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function findBinary(): Promise<string | undefined> {
  const named = Deno.env.get("LIVEKIT_SERVER_BIN");
  if (named) return named;
  if (await runs("livekit-server", ["--version"])) return "livekit-server";
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/repartee/livekit-server-1.11.0`;
  const built = `${folder}/server`; // `go install` names it after its package
  if (await runs(built, ["--version"])) return built;
  if (!await runs("go", ["version"])) return undefined;
  console.log(`building livekit-server with Go into ${folder} …`);
  return await runs("go", ["install", MODULE], { GOBIN: folder }) ? built : undefined;
}

async function runs(command: string, args: string[], env: Record<string, string> = {}): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args, env, stdout: "null", stderr: "inherit" })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
