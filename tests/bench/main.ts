/**
 * `deno task bench [--calls 1,5,10] [--turns 6] [--barge-ins 3] [--json]`: the server in real calls, with providers that
 * are emulated. livekit-server, the emulators, the server and all callers run on this machine, each in a process of its
 * own. The server sees this process's environment, so that settings can be compared: `ENDPOINTING_MIN_MS=0 deno task bench`.
 */
import { parseArgs } from "node:util";
import { measure } from "./measure.ts";
import { markdown, type Result, summarize } from "./results.ts";
import { firstLine, run, startSetting } from "./setting.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1,5,10" },
    turns: { type: "string", default: "6" },
    "barge-ins": { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});

await using setting = await startSetting();
if (!setting) Deno.exit(1);
const results: Result[] = [];
for (const calls of values.calls.split(",").map(Number)) {
  console.error(`${calls} call${calls === 1 ? "" : "s"} …`);
  const plan = { calls, turns: Number(values.turns), bargeIns: Number(values["barge-ins"]) };
  results.push(summarize(await measure(setting, plan)));
}
if (values.json) console.log(JSON.stringify(results, null, 2));
else {
  await using roundTrip = run("round_trip.ts");
  console.log(`${markdown(results)}\n\n${await firstLine(roundTrip)}`);
}
