/** A real redis-server for tests, on a free port of the loopback interface. */
import { createClient } from "@redis/client";

export interface RedisServer extends AsyncDisposable {
  /** `redis://…`, with its password. */
  readonly url: string;
  /** Ends the process at once. */
  stop(): Promise<void>;
  /** Starts it again, at the same address, without anything of what it knew. */
  start(): Promise<void>;
  /** Lets the process stand still, or go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
}

const HOW = "put redis-server on PATH (apt-get install redis-server, or brew install redis)";
const START_MS = 10_000;
const password = "a pass:word/@?";

/** Starts redis-server; undefined when there is none, and says how to get it; throws then when `CI` is set. */
export async function startRedisServer(): Promise<RedisServer | undefined> {
  if (!await isInstalled()) {
    if (Deno.env.get("CI") === "true") throw new Error(`redis-server is missing: ${HOW}`);
    console.log(`skipped, redis-server is missing: ${HOW}`);
    return undefined;
  }
  const port = freePort();
  const url = `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  let child: Deno.ChildProcess | undefined;
  const stop = async () => {
    child?.kill("SIGKILL");
    await child?.status;
    child = undefined;
  };
  const start = async () => {
    if (child) return;
    child = new Deno.Command("redis-server", {
      args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--requirepass", password],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await untilReady(url);
  };
  await start();
  return { url, stop, start, signal: (signal) => child?.kill(signal), [Symbol.asyncDispose]: stop };
}

async function untilReady(url: string): Promise<void> {
  const giveUpAt = Date.now() + START_MS;
  while (true) {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    client.on("error", () => {}); // connect() tells of it
    try {
      await client.connect();
      await client.ping();
      return client.destroy();
    } catch (error) {
      if (Date.now() > giveUpAt) throw new Error("redis-server did not start", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function isInstalled(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("redis-server", { args: ["--version"], stdout: "null" })
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
