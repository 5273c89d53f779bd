/**
 * `deno task bench [--calls 1,5,10] [--turns 6] [--barge-ins 3] [--json]`: the server in real calls, with providers that
 * are emulated. livekit-server, the emulators, the server and all callers run on this machine, each in a process of its
 * own. The server sees this process's environment, so that settings can be compared: `ENDPOINTING_MIN_MS=0 deno task bench`.
 */
import { parseArgs } from "node:util";
import { readLines } from "../e2e/lines.ts";
import { type LiveKitServer, startLiveKitServer } from "../e2e/livekit_server.ts";
import { type ServerProcess, startServer } from "../e2e/server.ts";
import type { CallEvent, CallPlan } from "./calls.ts";
import { type Cost, readCost } from "./process.ts";
import { markdown, type Measured, type Result, summarize } from "./results.ts";

/** Idle before the first call, so that what starting left over is not measured. */
const settleMs = 2_000;
const readCostEveryMs = 2_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1,5,10" },
    turns: { type: "string", default: "6" },
    "barge-ins": { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});

/** A child that is killed when it is not needed any more. */
function run(script: string, ...args: string[]): Deno.ChildProcess & AsyncDisposable {
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

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  for await (const line of readLines(child.stdout)) return line;
  throw new Error("a process of the benchmark ended before it began");
}

/** Waits until the server would take a call; milliseconds since `sinceMs`. */
async function untilReady(server: ServerProcess, sinceMs: number): Promise<number> {
  const url = await server.url;
  while (!(await fetch(`${url}/readyz`)).ok) await sleep(10);
  return performance.now() - sinceMs;
}

interface Setting {
  readonly livekit: LiveKitServer;
  readonly emulators: { readonly pid: number; readonly deepgram: string; readonly openai: string };
}

/** Starts a server and makes `calls` calls at the same time. */
async function measure({ livekit, emulators }: Setting, calls: number): Promise<Measured> {
  const { url, apiKey, apiSecret } = livekit;
  const startedMs = performance.now();
  await using server = await startServer({
    ...Deno.env.toObject(),
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
    OPENAI_BASE_URL: emulators.openai,
    OPENAI_API_KEY: "emulated",
    DEEPGRAM_BASE_URL: emulators.deepgram,
    DEEPGRAM_API_KEY: "emulated",
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "info",
  });
  const readyMs = await untilReady(server, startedMs);
  await sleep(settleMs);

  const plan: CallPlan = {
    livekit: { url, apiKey, apiSecret },
    url: await server.url,
    calls,
    turns: Number(values.turns),
    bargeIns: Number(values["barge-ins"]),
  };
  const idle = await readCost(server.pid);
  await using callers = run("calls.ts", JSON.stringify(plan));
  const busy = { server: [] as Cost[], callers: [] as Cost[], emulators: [] as Cost[] };
  const pids = { server: server.pid, callers: callers.pid, emulators: emulators.pid };
  const readCosts = async () => {
    for (const name of ["server", "callers", "emulators"] as const) {
      const cost = await readCost(pids[name]);
      if (cost) busy[name].push(cost);
    }
  };
  const events: CallEvent[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;
  for await (const line of readLines(callers.stdout)) {
    const event: CallEvent = JSON.parse(line);
    events.push(event);
    if (event.type === "all-greeted") {
      await readCosts();
      timer = setInterval(readCosts, readCostEveryMs);
    }
    if (event.type === "all-done") {
      clearInterval(timer);
      await readCosts();
    }
  }
  clearInterval(timer);
  const { success } = await callers.status;
  if (!success) throw new Error(`the callers failed; the server said:\n${server.output.slice(-4_000)}`);
  return {
    calls,
    readyMs,
    events,
    log: server.log,
    costs: {
      server: { idle, busy: busy.server },
      callers: { idle: undefined, busy: busy.callers },
      emulators: { idle: undefined, busy: busy.emulators },
    },
  };
}

await using livekit = await startLiveKitServer();
if (!livekit) Deno.exit(1);
await using child = run("emulators.ts");
const emulators = { pid: child.pid, ...JSON.parse(await firstLine(child)) };
const results: Result[] = [];
for (const calls of values.calls.split(",").map(Number)) {
  console.error(`${calls} call${calls === 1 ? "" : "s"} …`);
  results.push(summarize(await measure({ livekit, emulators }, calls)));
}
if (values.json) console.log(JSON.stringify(results, null, 2));
else {
  await using roundTrip = run("round_trip.ts");
  console.log(`${markdown(results)}\n\n${await firstLine(roundTrip)}`);
}
