/**
 * Who asks for an agent, in whatever way and however many at once, gets the one: three servers that share a Redis, and a
 * LiveKit. `deno task test:race` runs a thousand rounds.
 */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { until } from "./caller.ts";
import { type Cluster, roomStarted, startCluster } from "./cluster.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";

const rounds = Number(Deno.args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 200);
/** Rounds that go on at a time. */
const atOnce = 6;

const redis = await startRedisServer();
const livekit = await startLiveKitServer();
const options = { ignore: !redis || !livekit };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** Ten who ask at once; the sessions that were named to them. */
async function round(cluster: Cluster, room: string): Promise<void> {
  const sid = await cluster.open(room);
  const webhook = roomStarted(room, sid);
  const servers = [0, 1, 2];
  const [webhooks, answers, twirp] = await Promise.all([
    Promise.all(servers.map((server) => cluster.webhook(server, webhook))),
    Promise.all(servers.map((server) => cluster.dispatch(server, room))),
    Promise.all([0, 2].map((server) => cluster.twirp(server, room))),
    cluster.job(room),
    cluster.job(room),
  ]);
  assertEquals(webhooks, [200, 200, 200]);
  const named = [...answers.map(({ body }) => body.sessionId), ...twirp];
  assertEquals(new Set(named).size, 1, tellAll(cluster, room));
  await until(() => cluster.told(room, "agent joined").length > 0, `an agent in ${room}`, 30_000);
  await new Promise((resolve) => setTimeout(resolve, 300)); // for a second one to come, if one would
  assertEquals(await cluster.agentsIn(room), [`agent-${named[0]}`]);
  await cluster.admin.deleteRoom(room);
}

/** All that the servers have logged of the room. */
const tellAll = ({ servers }: Cluster, room: string): string =>
  servers.flatMap(({ log }) => log.filter((line) => line.room === room)).map((line) => JSON.stringify(line))
    .join("\n");

describe("ten who ask for an agent at once", () => {
  it(`have one, in ${rounds} rooms`, options, async () => {
    if (!redis || !livekit) return;
    await using cluster = await startCluster({ livekits: [livekit, livekit, livekit], redisUrl: redis.url });
    let left = rounds;
    const run = async () => {
      while (left > 0) await round(cluster, `room-${left--}`);
    };
    await Promise.all(Array.from({ length: atOnce }, run));
    const joined = cluster.servers.map(({ log }) => log.filter(({ msg }) => msg === "agent joined"));
    const failures = cluster.servers.flatMap(({ log }) =>
      log.filter(({ level }) => level === "error").map((line) => JSON.stringify(line))
    );
    assertEquals(failures, []);
    const rooms = joined.flat().map(({ room }) => room);
    assertEquals([rooms.length, new Set(rooms).size], [rounds, rounds], "agents, and rooms that had one");
    assert(joined.every(({ length }) => length > 0), "one server had none");
  });
});
