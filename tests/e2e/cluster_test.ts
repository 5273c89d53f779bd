/** What befalls servers that share a Redis, and what becomes of their rooms: a real Redis, a real LiveKit. */
import { JobStatus } from "@livekit/protocol";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, afterEach, beforeAll, describe, it } from "@std/testing/bdd";
import { webhookBody } from "../fakes/webhooks.ts";
import { joinCaller, until } from "./caller.ts";
import { type Cluster, roomStarted, startCluster } from "./cluster.ts";
import { untilKept } from "./kept.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";

const redis = await startRedisServer();
const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads; the servers are all tests'. */
const options = { ignore: !redis || !livekit, sanitizeOps: false, sanitizeResources: false };
const access = livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const newRoom = () => `room-${crypto.randomUUID()}`;
const patientMs = 30_000;

let cluster: Cluster;
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** Sends the agent by a server, and waits for it; its session, and which server has it. */
async function send(room: string, by: number) {
  await cluster.admin.createRoom({ name: room, emptyTimeout: 300 }); // an agent alone does not keep it
  const sessionId = await until(
    async () => (await cluster.dispatch(by, room)).body.sessionId,
    `a session for ${room}`,
    patientMs,
  );
  const joined = () => cluster.told(room, "agent joined").find((line) => line.sessionId === sessionId);
  const { server } = await until(joined, `the agent of ${sessionId} in ${room}`, patientMs);
  return { sessionId, server, agent: `agent-${sessionId}` };
}

/** The session goes on in another server than the one that had it. */
const untilElsewhere = (room: string, { sessionId, server }: { sessionId: string; server: number }) =>
  until(
    () =>
      cluster.told(room, "agent joined").find((line) =>
        line.sessionId === sessionId && line.server !== server
      ),
    `${sessionId} elsewhere`,
    patientMs,
  );

const untilAgentsAre = (room: string, expected: readonly string[]) =>
  until(
    async () => JSON.stringify(await cluster.agentsIn(room)) === JSON.stringify(expected),
    `${expected.join() || "nobody"} alone in ${room}`,
    patientMs,
  );

describe("servers that share a Redis", options, () => {
  beforeAll(async () => {
    if (redis) cluster = await startCluster({ livekits: [access, access, access], redisUrl: redis.url });
  });
  afterEach(async () => {
    for (const { name } of await cluster.admin.listRooms()) await cluster.admin.deleteRoom(name);
  });

  it("one that stood still says nothing more in a room that another has by then, and goes", async () => {
    const room = newRoom();
    await using caller = await joinCaller({ ...access, roomName: room });
    const first = await send(room, 0);
    await until(() => caller.agent()?.identity === first.agent, "the first agent", patientMs);
    const [server, other] = [cluster.servers[first.server], (first.server + 1) % 3];
    using _ = { [Symbol.dispose]: () => server?.kill("SIGCONT") };
    assertEquals(
      await cluster.say(first.server, room, first.sessionId, "Once upon a time. ".repeat(3)),
      202,
    );
    await caller.untilSpeech({ timeoutMs: patientMs });
    await untilKept(redis?.url ?? "", "Once upon a time.");
    server?.kill("SIGSTOP");
    await untilElsewhere(room, first);
    assertEquals((await cluster.dispatch(other, room)).body.sessionId, first.sessionId);
    await untilAgentsAre(room, [first.agent]);
    const isDone = () =>
      cluster.told(room, "agent-stopped-speaking").some((line) => line.server !== first.server);
    await until(isDone, "the other to have said what was not heard", patientMs);
    await caller.untilQuiet({ timeoutMs: patientMs });
    const continuedMs = performance.now();
    server?.kill("SIGCONT");
    const end = await until(() => cluster.told(room, "session ended")[0], "its end", patientMs);
    assertEquals([end.sessionId, end.server], [first.sessionId, first.server]);
    // As LiveKit tells it first, which has put it out, or Redis.
    assert(["claim-lost", "removed"].includes(String(end.reason)), String(end.reason));
    await untilAgentsAre(room, [first.agent]);
    assertEquals(caller.heard.filter(({ atMs, level }) => atMs > continuedMs && level > 0.001).length, 0);
  });

  it("calls go on while Redis is away, new ones are refused in words, and all is as before when it is back", async () => {
    const rooms = [newRoom(), newRoom(), newRoom()];
    const sessions = await Promise.all(rooms.map((room, i) => send(room, i)));
    await using _ = { [Symbol.asyncDispose]: async () => await redis?.start() };
    await redis?.stop();
    const away = newRoom();
    const refused = await cluster.dispatch(0, away);
    assertEquals(refused.status, 503);
    assertMatch(refused.body.detail ?? "", /Redis at \S+ /);
    await new Promise((resolve) => setTimeout(resolve, 4_000)); // longer than a claim
    for (const [i, room] of rooms.entries()) assertEquals(await cluster.agentsIn(room), [sessions[i]?.agent]);
    await redis?.start(); // without anything of what it knew
    const again = await Promise.all(
      rooms.map((room, i) =>
        until(
          async () => {
            const { status, body } = await cluster.dispatch((i + 1) % 3, room);
            return status === 200 && body.sessionId;
          },
          "the session there is",
          patientMs,
        )
      ),
    );
    assertEquals(again, sessions.map(({ sessionId }) => sessionId));
    assertEquals(rooms.flatMap((room) => cluster.told(room, "session ended")), []);
    assertEquals((await send(away, 1)).agent, (await cluster.agentsIn(away))[0]);
  });

  it("who asks while Redis stands still for a moment waits for it, and has the one agent", async () => {
    const room = newRoom();
    await cluster.open(room);
    redis?.signal("SIGSTOP");
    const asking = Promise.all([0, 1, 2].map((server) => cluster.dispatch(server, room)));
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // longer than an answer may take
    redis?.signal("SIGCONT");
    const answers = await asking;
    assertEquals(new Set(answers.map(({ body }) => body.sessionId)).size, 1, JSON.stringify(answers));
    await untilAgentsAre(room, [`agent-${answers[0]?.body.sessionId}`]);
  });

  it("whichever is asked tells of a session, speaks through it and ends it, though another has it", async () => {
    const room = newRoom();
    const { sessionId, server } = await send(room, 0);
    const other = (server + 1) % 3;
    assertEquals(await cluster.session(other, room, sessionId, "GET"), 200);
    const listed = { http: [sessionId], dispatches: [sessionId] };
    assertEquals([await cluster.list(server, room), await cluster.list(other, room)], [listed, listed]);
    assertEquals(await cluster.say(other, room, sessionId, "Hello."), 202);
    assertEquals(await cluster.session(other, room, sessionId, "DELETE"), 202);
    const end = await until(() => cluster.told(room, "session ended")[0], "its end", patientMs);
    assertEquals([end.server, end.reason], [server, "deleted"]);
    assertEquals(await cluster.session(other, room, sessionId, "DELETE"), 204);
  });

  it("webhooks may come ten times, backwards, broken, to whichever of them, or not at all", async () => {
    const rooms = Array.from({ length: 4 }, newRoom);
    const opened = await Promise.all(rooms.map(async (room) => ({ room, sid: await cluster.open(room) })));
    const bodies = opened.slice(0, 3).flatMap(({ room, sid }) => [
      webhookBody("participant_joined", { room: { name: room, sid }, participant: { identity: "ann" } }),
      roomStarted(room, sid),
      webhookBody("participant_joined", { room: { name: room } }),
      webhookBody("room_finished", { room: { name: room, sid: "RM_another" } }),
    ]).reverse();
    const broken = ["{", "[]", '{"event": 1}', webhookBody("unheard_of"), webhookBody("room_started")];
    const burst = Array.from({ length: 10 }, () => [...bodies, ...broken]).flat();
    const statuses = await Promise.all(burst.map((body, i) => cluster.webhook(i % 3, body)));
    assertEquals(statuses.filter((status) => status !== 200), []);
    for (const { room } of opened.slice(0, 3)) {
      await until(() => cluster.told(room, "agent joined").length > 0, `an agent in ${room}`, patientMs);
    }
    const [dropped] = opened.slice(3);
    await send(dropped?.room ?? "", 2); // of this room no webhook came: it is dispatched to all the same
    for (const { room } of opened) assertEquals((await cluster.agentsIn(room)).length, 1);
    assertEquals(rooms.map((room) => cluster.told(room, "agent joined").length), [1, 1, 1, 1]);
  });

  it("of which one is killed: its sessions are another's as soon as somebody asks, though nobody is there", async () => {
    const at = await cluster.add();
    const room = newRoom();
    const first = await send(room, at);
    cluster.servers[first.server]?.kill("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 3_200)); // its claim lapses
    assertEquals((await cluster.dispatch((first.server + 1) % 3, room)).body.sessionId, first.sessionId);
    await untilElsewhere(room, first);
    await untilAgentsAre(room, [first.agent]);
  });

  it("of which the one is killed that has LiveKit's job: the session is another's, and nobody else is sent", async () => {
    const room = newRoom();
    await using _caller = await joinCaller({ ...access, roomName: room });
    const dispatchId = await cluster.job(room);
    const { sessionId = "", server } = await until(
      () => cluster.told(room, "agent joined")[0],
      "the agent",
      patientMs,
    );
    await untilKept(redis?.url ?? "", sessionId);
    cluster.servers[server]?.kill("SIGKILL");
    await untilElsewhere(room, { sessionId, server });
    await new Promise((resolve) => setTimeout(resolve, 4_000)); // rooms are looked at every 1.5 s
    // To LiveKit the job goes on, with the agent that is there.
    const dispatches = await cluster.jobs.listDispatch(room);
    const jobs = dispatches.find(({ id }) => id === dispatchId)?.state?.jobs ?? [];
    assertEquals(jobs.map(({ state }) => [state?.participantIdentity, state?.status]), [
      [`agent-${sessionId}`, JobStatus.JS_RUNNING],
    ]);
    assertEquals(await cluster.agentsIn(room), [`agent-${sessionId}`]);
    assertEquals(cluster.told(room, "LiveKit lost a dispatch"), []);
    assertEquals(cluster.told(room, "agent joined").length, 2);
    // Whoever has the session by then ends it when the dispatch is deleted.
    await cluster.jobs.deleteDispatch(dispatchId, room);
    const end = await until(() => cluster.told(room, "session ended")[0], "its end", patientMs);
    assertEquals([end.sessionId, end.reason], [sessionId, "deleted"]);
  });
});
