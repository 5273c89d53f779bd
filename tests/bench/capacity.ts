/**
 * `deno task bench:capacity [--calls 1,10,20,30] [--turns 3] [--short 500]`: how many calls a machine bears, what each
 * costs, and what is left of many short ones that one process has had. Everything runs on this machine, as in main.ts.
 */
import { parseArgs } from "node:util";
import { readLines } from "../e2e/lines.ts";
import { measure } from "./measure.ts";
import { type Cost, type Handles, readCost, readHandles } from "./process.ts";
import { type Result, type Spread, summarize, table } from "./results.ts";
import { readMetrics, run, type Setting, sleep, startReadyServer, startSetting } from "./setting.ts";
import type { ShortCall, ShortCallsPlan } from "./short_calls.ts";

/** Short calls at the same time, and how often what they cost is read. */
const atOnce = 4;
const readEvery = 10;
/** The native client frees a room's threads and sockets this late. */
const lettingGoMs = 15_000;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1,10,20,30" },
    turns: { type: "string", default: "3" },
    short: { type: "string", default: "500" },
  },
});

/** The calls at the same time as Markdown; memory of a call is told against the first row. */
function capacity(results: readonly Result[]): string {
  const spread = (given: Spread | undefined) =>
    given ? `${Math.round(given.p50)} / ${Math.round(given.p95)}` : "–";
  const [first] = results;
  const perCall = ({ calls, pssMb }: Result) =>
    first?.pssMb === undefined || pssMb === undefined || calls === first.calls
      ? "–"
      : ((pssMb - first.pssMb) / (calls - first.calls)).toFixed(1);
  return table(results, {
    calls: ({ calls }) => `${calls}`,
    "CPU, % of a core": ({ cpuPercent }) => cpuPercent?.toFixed(0) ?? "–",
    "calls a core": ({ calls, cpuPercent }) => cpuPercent ? (calls / cpuPercent * 100).toFixed(1) : "–",
    "memory, MB": ({ pssMb }) => pssMb?.toFixed(0) ?? "–",
    "a call more, MB": perCall,
    "end of speech → answer heard, ms": ({ heardMs }) => spread(heardMs),
    "dispatch → joined, ms": ({ joinedMs }) => spread(joinedMs),
    "failed turns": ({ failedTurns, turns }) => `${failedTurns} of ${turns}`,
    "event loop's lag, p50 / p99, ms": ({ lagMs }) =>
      lagMs ? [lagMs.p50, lagMs.p99].map((ms) => ms.toFixed(1)).join(" / ") : "–",
  });
}

/** What the server holds after so many calls. */
interface Reading {
  readonly calls: number;
  /** What JavaScript has of the memory, garbage included. */
  readonly heapMb: number;
  readonly cost: Cost | undefined;
  readonly handles: Handles | undefined;
}

const held = ({ heapMb, handles, cost }: Reading) =>
  `${cost?.rssMb.toFixed(0)} MB RSS, ${heapMb.toFixed(0)} of it JavaScript's, ${handles?.files} files and ` +
  `${handles?.threads} threads`;

/** Makes `calls` short calls through one server. */
async function shortCalls(setting: Setting, calls: number): Promise<string> {
  const { livekit: { url: livekitUrl, apiKey, apiSecret } } = setting;
  const { server, url } = await startReadyServer(setting);
  await using _ = server;
  const read = async (calls: number): Promise<Reading> => {
    const metric = await readMetrics(url);
    const heapMb = metric('memory_bytes{kind="heap_used"}') / 1e6;
    return { calls, heapMb, cost: await readCost(server.pid), handles: await readHandles(server.pid) };
  };
  const plan: ShortCallsPlan = { livekit: { url: livekitUrl, apiKey, apiSecret }, url, calls, atOnce };
  const readings = [await read(0)];
  let [done, greeted] = [0, 0];
  {
    await using callers = run("short_calls.ts", JSON.stringify(plan));
    for await (const line of readLines(callers.stdout)) {
      const call: ShortCall = JSON.parse(line);
      if (call.greeted) greeted++;
      if (++done % readEvery > 0) continue;
      const reading = await read(done);
      readings.push(reading);
      console.error(`${done} short calls: ${held(reading)}`);
    }
  }
  while ((await readMetrics(url))('sessions{agent="assistant"}') > 0) await sleep(1_000);
  await sleep(lettingGoMs);
  const [before, after] = [readings[0], await read(done)];
  const late = readings.filter(({ calls }) => calls >= done * 0.4);
  return `${done} short calls, ${atOnce} at a time, ${greeted} of them greeted: before ${
    before && held(before)
  }; ` +
    `after ${held(after)}; growth over calls ${late[0]?.calls} to ${done}: ${
      growthKb(late).toFixed(0)
    } KB a call.`;
}

/** The slope of RSS over calls by least squares, KB a call. */
function growthKb(readings: readonly Reading[]): number {
  const points = readings.map(({ calls, cost }) => ({ x: calls, y: (cost?.rssMb ?? NaN) * 1024 }));
  const mean = (of: "x" | "y") => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean("x"), mean("y")];
  const covariance = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
}

await using setting = await startSetting();
if (!setting) Deno.exit(1);
const results: Result[] = [];
for (const calls of values.calls.split(",").filter(Boolean).map(Number)) {
  console.error(`${calls} call${calls === 1 ? "" : "s"} …`);
  results.push(summarize(await measure(setting, { calls, turns: Number(values.turns), bargeIns: 0 })));
}
if (results.length > 0) console.log(`${capacity(results)}\n`);
const short = Number(values.short);
if (short > 0) console.log(await shortCalls(setting, short));
