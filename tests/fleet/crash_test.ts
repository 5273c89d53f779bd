/** Processes that are killed under calls, one after another: `deno task test:fleet`. What one call meets: e2e/recovery_test.ts. */
import { assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { until } from "../e2e/caller.ts";
import { startLiveKitServer } from "../e2e/livekit_server.ts";
import { startRedisServer } from "../e2e/redis_server.ts";
import { patientMs } from "./call.ts";
import { assertEachOnce, type Fleet, type Holder, manyCalls, sleep, startFleet, told } from "./fleet.ts";

const count = manyCalls ?? 0;
const livekit = count > 0 ? await startLiveKitServer() : undefined;
const redis = count > 0 ? await startRedisServer() : undefined;
/** The callers' native client keeps its threads. */
const options = { ignore: !livekit || !redis, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** What was heard last is written down by then; or it would be said again. */
const writtenMs = 1_500;
const lost = "Sorry, I lost you for a second. Please go on.";
const kills = 3;

/** What their processes are to each other. */
const worlds = [
  { name: "that share a Redis", servers: 3, env: {} },
  { name: "that are the workers of one server", servers: 1, env: { WORKERS: "3", REDIS_URL: "" } },
];

/** Kills it, and has another started in its place. */
async function kill({ cluster }: Fleet, { server: at, worker }: Holder): Promise<void> {
  const server = cluster.servers[at];
  if (worker === undefined) {
    server?.kill("SIGKILL");
    await cluster.add();
  } else {
    const started = server?.log.find((line) => line.msg === "a worker is started" && line.worker === worker);
    Deno.kill(Number(started?.pid), "SIGKILL"); // its supervisor starts another
  }
}

describe("processes that are killed", () => {
  for (const { name, servers, env } of worlds) {
    it(`${name}, under ${count} calls: each goes on in another, with its history`, options, async () => {
      if (!livekit || !redis) return;
      await using fleet = await startFleet(livekit, { calls: count, redisUrl: redis.url, servers, env });
      const { calls } = fleet;
      const lines = calls.map(() => 0);
      await fleet.askAll();
      for (let n = 0; n < kills; n++) {
        await sleep(writtenMs);
        const victim = fleet.busiest();
        const sinceMs = performance.now();
        const killing = kill(fleet, victim);
        await Promise.all(victim.calls.map(async (call) => {
          const n = ++lines[calls.indexOf(call)]!;
          const isBack = () => call.lines.filter((line) => line === lost).length === n;
          await told(fleet.cluster, call, until(isBack, lost, patientMs));
        }));
        console.log(
          `${victim.calls.length} calls go on after ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`,
        );
        await killing;
        await fleet.askAll();
      }
      assertEachOnce(calls, calls.map(() => kills + 1), [lost]);
      assertEquals(calls.map((call) => call.lines.filter((line) => line === lost).length), lines);
    });
  }
});
