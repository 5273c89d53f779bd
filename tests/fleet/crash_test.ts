/** Processes that are killed under calls, one after another: `deno task test:fleet`. What one call meets: e2e/recovery_test.ts. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { until } from "../e2e/caller.ts";
import { startLiveKitServer } from "../e2e/livekit_server.ts";
import { startRedisServer } from "../e2e/redis_server.ts";
import { patientMs } from "./call.ts";
import { assertEachOnce, manyCalls, sleep, startFleet, told } from "./fleet.ts";

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

describe("processes that are killed", () => {
  it(`under ${count} calls: each goes on in another process, with its history`, options, async () => {
    if (!livekit || !redis) return;
    await using fleet = await startFleet(livekit, { calls: count, redisUrl: redis.url });
    const { cluster, calls, running } = fleet;
    const lines = calls.map(() => 0);
    const asked = calls.map(() => 1);
    await fleet.askAll();
    for (const [slot, at] of running.entries()) {
      const affected = calls.filter(({ room }) => fleet.holder(room) === at);
      await sleep(writtenMs);
      const sinceMs = performance.now();
      cluster.servers[at]?.kill("SIGKILL");
      const next = cluster.add();
      await Promise.all(affected.map(async (call) => {
        const n = ++lines[calls.indexOf(call)]!;
        const isBack = () => call.lines.filter((line) => line === lost).length === n;
        await told(cluster, call, until(isBack, lost, patientMs));
      }));
      console.log(
        `${affected.length} calls go on after ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`,
      );
      running[slot] = await next;
      await fleet.askAll();
      asked.forEach((_, i) => asked[i]!++);
    }
    assertEachOnce(calls, asked, [lost]);
    assert(lines.some((n) => n > 0));
    assertEquals(calls.map((call) => call.lines.filter((line) => line === lost).length), lines);
  });
});
