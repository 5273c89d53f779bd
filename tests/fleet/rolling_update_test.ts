/**
 * A rolling update under calls: each of three processes is sent SIGTERM in turn, and another takes its place. In
 * `deno task test` once with a few calls; `deno task test:fleet` does it ten times with twenty.
 */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { startLiveKitServer } from "../e2e/livekit_server.ts";
import { type FleetCall, patientMs } from "./call.ts";
import { assertEachOnce, type Fleet, manyCalls, rounds, sleep, startFleet, told } from "./fleet.ts";
import { watchRooms } from "./watch.ts";

const livekit = await startLiveKitServer();
/** The callers' native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

/** Replaces every server by another: before it ends, or behind its end. */
async function update({ cluster, running }: Fleet, order: "start-first" | "stop-first"): Promise<number[]> {
  const tookMs: number[] = [];
  for (const [slot, at] of running.entries()) {
    const next = order === "start-first" ? await cluster.add() : undefined;
    const server = cluster.servers[at];
    const sinceMs = performance.now();
    server?.kill("SIGTERM");
    const code = await Promise.race([server?.exit, sleep(patientMs)]);
    assertEquals(code, 0, `the server's end, whose log ends with ${JSON.stringify(server?.log.slice(-5))}`);
    tookMs.push(performance.now() - sinceMs);
    running[slot] = next ?? await cluster.add();
  }
  return tookMs;
}

async function updateUnderCalls(fleet: Fleet, times: number): Promise<void> {
  await using rooms = watchRooms(fleet.cluster.admin, fleet.calls.map(({ room }) => room));
  const asked = fleet.calls.map(() => 0);
  const ask = async (call: FleetCall) => {
    asked[fleet.calls.indexOf(call)]!++;
    await told(fleet.cluster, call, call.ask());
  };
  for (let n = 0; n < times; n++) {
    let isOver = false;
    const talking = fleet.calls.filter(({ speaks }) => speaks).map(async (call) => {
      while (!isOver) {
        await ask(call);
        await sleep(2_000 * Math.random());
      }
    });
    const updating = update(fleet, n % 2 === 0 ? "start-first" : "stop-first").finally(() => isOver = true);
    const [tookMs] = await Promise.all([updating, ...talking]);
    console.log(
      `the processes ended within ${tookMs.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ")}`,
    );
    await fleet.askAll();
    fleet.calls.forEach((_, i) => asked[i]!++);
  }
  assertEachOnce(fleet.calls, asked);
  for (const { room, withoutAgentMs } of fleet.calls) {
    assert(withoutAgentMs === 0, `no agent was to be seen in ${room} for ${withoutAgentMs} ms`);
  }
  const { problems, longestDouble } = rooms;
  console.log(`two agents were to be seen in a room for ${longestDouble} looks in a row at the most`);
  const theirs = fleet.calls.filter(({ room }) => problems.some((problem) => problem.includes(room)));
  assert(
    problems.length === 0,
    [...problems, ...theirs.flatMap(({ trail }) => trail.slice(-100))].join("\n"),
  );
}

describe("a rolling update of three processes", () => {
  const [count = 4, times = 1] = [manyCalls, rounds];
  it(`under ${count} calls, ${times} times: none is lost, none answered twice`, options, async () => {
    if (!livekit) return;
    const folder = `state/test-${crypto.randomUUID()}`;
    await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
    const env = { STATE_DIR: folder, DRAIN_TIMEOUT: "60" }; // more than calls take to be handed over
    await using fleet = await startFleet(livekit, { calls: count, env });
    await updateUnderCalls(fleet, times);
  });
});
