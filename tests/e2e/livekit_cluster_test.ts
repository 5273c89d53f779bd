/** Two LiveKit servers that are a cluster, and a server of ours at each, or one that is restarted: a room has its one agent. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AgentDispatchClient } from "livekit-server-sdk";
import { joinCaller, until } from "./caller.ts";
import { startCluster } from "./cluster.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";

const redis = await startRedisServer();
const apiSecret = crypto.randomUUID();
const member = async () => redis && await startLiveKitServer({ cluster: { redisUrl: redis.url, apiSecret } });
const [first, second] = [await member(), await member()];
/** The caller's native client keeps its threads. */
const options = { ignore: !second, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await second?.[Symbol.asyncDispose]();
  await first?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const newRoom = () => `room-${crypto.randomUUID()}`;
const patientMs = 30_000;

describe("a cluster of LiveKit", options, () => {
  it("has one agent for dispatches at either side, and a caller who joins through the other hears it", async () => {
    if (!redis || !first || !second) return;
    await using cluster = await startCluster({ livekits: [first, second], redisUrl: redis.url });

    // One at each of ours at once: both name the same session.
    const rooms = Array.from({ length: 3 }, newRoom);
    for (const room of rooms) {
      await cluster.admin.createRoom({ name: room, emptyTimeout: 300 }); // an agent alone does not keep it
      const answers = await Promise.all([0, 1].map((server) => cluster.dispatch(server, room)));
      assertEquals(new Set(answers.map(({ body }) => body.sessionId)).size, 1, JSON.stringify(answers));
      await until(() => cluster.told(room, "agent joined").length > 0, `an agent in ${room}`, patientMs);
    }
    for (const room of rooms) {
      const [joined, ...others] = cluster.told(room, "agent joined");
      assertEquals(others, []);
      assertEquals(await cluster.agentsIn(room), [`agent-${joined?.sessionId}`]);
    }

    // One at LiveKit's own, in a room of whom the caller joins through the other.
    for (const { asked, other } of [{ asked: first, other: second }, { asked: second, other: first }]) {
      const room = newRoom();
      const { httpUrl, apiKey, apiSecret } = asked;
      await new AgentDispatchClient(httpUrl, apiKey, apiSecret).createDispatch(room, "assistant");
      await using caller = await joinCaller({ ...other, roomName: room });
      await caller.untilSpeech({ sinceMs: 0, timeoutMs: patientMs });
      const joined = cluster.told(room, "agent joined");
      assertEquals(joined.length, 1);
      assertEquals(caller.agent()?.identity, `agent-${joined[0]?.sessionId}`);
    }
    assert(cluster.servers.every(({ log }) => !log.some(({ level }) => level === "error")));
  });
});

describe("a LiveKit that is restarted", options, () => {
  it("has three servers registered again, which send the one agent that is asked for", async () => {
    const before = redis && await startLiveKitServer();
    if (!before) return;
    await using cluster = await startCluster({ livekits: [before, before, before], redisUrl: redis.url });
    const untilTold = (msg: string, times = 1) =>
      until(
        () => cluster.servers.every(({ log }) => log.filter((line) => line.msg === msg).length >= times),
        `"${msg}", ${times} times`,
        patientMs,
      );
    await untilTold("registered with LiveKit");
    await before.kill();
    await untilTold("not registered with LiveKit, which sends no jobs; it is tried again");
    await using after = await startLiveKitServer({ like: before });
    assert(after);
    await untilTold("registered with LiveKit", 2);

    const room = newRoom();
    await using _caller = await joinCaller({ ...after, roomName: room });
    await cluster.job(room);
    await until(() => cluster.told(room, "agent joined").length > 0, `an agent in ${room}`, patientMs);
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // for a second one to come, if one would
    const [joined, ...others] = cluster.told(room, "agent joined");
    assertEquals(others, []);
    assertEquals(await cluster.agentsIn(room), [`agent-${joined?.sessionId}`]);
  });
});
