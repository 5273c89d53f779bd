/** What every benchmark needs: livekit-server, the emulated providers and the server, each in a process of its own. */
import { readLines } from "../e2e/lines.ts";
import { type LiveKitServer, startLiveKitServer } from "../e2e/livekit_server.ts";
import { type ServerProcess, startServer } from "../e2e/server.ts";

/** Idle before the first call, so that what starting left over is not measured. */
const settleMs = 2_000;

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Setting extends AsyncDisposable {
  readonly livekit: LiveKitServer;
  readonly emulators: { readonly pid: number; readonly deepgram: string; readonly openai: string };
}

/** Starts all but the server; undefined, and it says why, where there is no livekit-server. */
export async function startSetting(): Promise<Setting | undefined> {
  await using stack = new AsyncDisposableStack();
  const livekit = await startLiveKitServer({ departureTimeoutS: 20 });
  if (!livekit) return undefined;
  stack.use(livekit);
  const child = stack.use(run("emulators.ts"));
  const emulators = { pid: child.pid, ...JSON.parse(await firstLine(child)) };
  const started = stack.move();
  return { livekit, emulators, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** A server that would take a call. */
export interface ReadyServer {
  readonly server: ServerProcess;
  readonly url: string;
  /** How long it took to get ready, milliseconds. */
  readonly readyMs: number;
}

/**
 * Starts a server with this process's environment, waits until it is ready, and then until it has come to rest. `flags`: more
 * for `deno run`.
 */
export async function startReadyServer(
  { livekit, emulators }: Setting,
  flags: readonly string[] = [],
): Promise<ReadyServer> {
  const startedMs = performance.now();
  const server = await startServer(
    {
      ...Deno.env.toObject(),
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      OPENAI_BASE_URL: emulators.openai,
      OPENAI_API_KEY: "emulated",
      DEEPGRAM_BASE_URL: emulators.deepgram,
      DEEPGRAM_API_KEY: "emulated",
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_LEVEL: "info",
    },
    undefined,
    flags,
  );
  const url = await server.url;
  while (!(await fetch(`${url}/readyz`)).ok) await sleep(10);
  const readyMs = performance.now() - startedMs;
  await sleep(settleMs);
  return { server, url, readyMs };
}

/** What the server's metrics say now: the value of a series by its name, without the prefix; NaN if there is none. */
export async function readMetrics(url: string): Promise<(series: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = new Map(
    text.split("\n").map((line) => {
      const [series = "", value = ""] = line.split(" ");
      return [series, Number(value)];
    }),
  );
  return (series) => values.get(`repartee_${series}`) ?? NaN;
}

/** A child that is killed when it is not needed any more. */
export function run(script: string, ...args: string[]): Deno.ChildProcess & AsyncDisposable {
  const permissions = ["net", "env", "read", "write", "run", "ffi", "sys"].map((name) => `--allow-${name}`);
  const path = new URL(script, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...permissions, path, ...args],
    env: { NODE_ENV: "production" }, // or rtc-node writes its debug log among the results
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

export async function firstLine(child: Deno.ChildProcess): Promise<string> {
  for await (const line of readLines(child.stdout)) return line;
  throw new Error("a process of the benchmark ended before it began");
}
