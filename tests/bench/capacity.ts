/**
 * `deno task bench:capacity [--calls 1,10,20,30] [--turns 3] [--short 500] [--connects 50]`: how many calls a machine
 * bears, what each costs, what is left of many short ones, and how many may begin at the same moment. Everything runs on
 * this machine, as in main.ts; `WORKERS=2 deno task bench:capacity` measures two processes. 0 leaves a part out.
 */
import { parseArgs } from "node:util";
import { connects } from "./capacity_connects.ts";
import { shortCalls } from "./capacity_short.ts";
import { measure } from "./measure.ts";
import { type Result, type Spread, summarize, table } from "./results.ts";
import { startSetting } from "./setting.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1,10,20,30" },
    turns: { type: "string", default: "3" },
    short: { type: "string", default: "500" },
    connects: { type: "string", default: "50" },
  },
});
const workers = Deno.env.get("WORKERS") ?? "1";

/** The calls at the same time as Markdown; memory and time are told against the first row. */
function capacity(results: readonly Result[]): string {
  const spread = (given: Spread | undefined) =>
    given ? `${Math.round(given.p50)} / ${Math.round(given.p95)}` : "–";
  const [first] = results;
  const perCall = ({ calls, pssMb }: Result) =>
    first?.pssMb === undefined || pssMb === undefined || calls === first.calls
      ? "–"
      : ((pssMb - first.pssMb) / (calls - first.calls)).toFixed(1);
  const slower = ({ heardMs }: Result) =>
    heardMs && first?.heardMs ? `× ${(heardMs.p50 / first.heardMs.p50).toFixed(2)}` : "–";
  return table(results, {
    workers: () => workers,
    calls: ({ calls }) => `${calls}`,
    "CPU, % of a core": ({ cpuPercent }) => cpuPercent?.toFixed(0) ?? "–",
    "calls a core": ({ calls, cpuPercent }) => cpuPercent ? (calls / cpuPercent * 100).toFixed(1) : "–",
    "memory, MB": ({ pssMb }) => pssMb?.toFixed(0) ?? "–",
    "a call more, MB": perCall,
    "end of speech → answer heard, ms": ({ heardMs }) => spread(heardMs),
    "p50 against the first row": slower,
    "dispatch → joined, ms": ({ joinedMs }) => spread(joinedMs),
    "failed turns": ({ failedTurns, turns }) => `${failedTurns} of ${turns}`,
    "event loop's lag, p50 / p99, ms": ({ lagMs }) =>
      lagMs ? [lagMs.p50, lagMs.p99].map((ms) => ms.toFixed(1)).join(" / ") : "–",
    "the callers' CPU, %": ({ callersCpuPercent }) => callersCpuPercent?.toFixed(0) ?? "–",
  });
}

await using setting = await startSetting();
if (!setting) Deno.exit(1);
const results: Result[] = [];
for (const calls of values.calls.split(",").map(Number).filter(Boolean)) {
  console.error(`${calls} call${calls === 1 ? "" : "s"} …`);
  results.push(summarize(await measure(setting, { calls, turns: Number(values.turns), bargeIns: 0 })));
}
if (results.length > 0) console.log(`${capacity(results)}\n`);
const [short, atOnce] = [Number(values.short), Number(values.connects)];
if (short > 0) console.log(`${await shortCalls(setting, short)}\n`);
if (atOnce > 0) console.log(await connects(setting, atOnce));
