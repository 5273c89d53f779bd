/** LiveKit's own dispatches reach the real process, which is a worker of the real livekit-server. */
import { RoomAgentDispatch } from "@livekit/protocol";
import { assert, assertEquals } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { SignJWT } from "jose";
import { until } from "./caller.ts";
import { clients, newRoomName, type RunningServer, startRepartee, untilGreeted } from "./dispatch_world.ts";
import { type LiveKitServer, startLiveKitServer } from "./livekit_server.ts";
import { findPythonClient } from "./python_client.ts";
import { startWebhookRelay } from "./webhook_relay.ts";

const relay = startWebhookRelay();
const livekit = await startLiveKitServer({ webhookUrl: relay.url, logs: true });
const python = livekit && await findPythonClient();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

const access = livekit as LiveKitServer; // every test is ignored without it
const { call, dispatches, rooms, agents } = clients(
  livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" },
);

/** One server for the tests of a group. */
function oneServer(env: Readonly<Record<string, string>> = {}): () => RunningServer {
  let server: RunningServer | undefined;
  beforeAll(async () => {
    if (livekit) server = await startRepartee(livekit, { env });
  });
  afterAll(async () => await server?.[Symbol.asyncDispose]());
  return () => server as RunningServer;
}

describe("a dispatch that is made at LiveKit", () => {
  const server = oneServer();

  it("by livekit-server-sdk sends the agent as its job; deleted, it ends the call", options, async () => {
    const room = newRoomName();
    await using caller = await call(room);
    const { id } = await dispatches.createDispatch(room, "assistant", { metadata: "of the job" });
    const again = await dispatches.createDispatch(room, "assistant", { metadata: "of another" });
    await untilGreeted(caller);
    const [identity] = await agents(room);
    assertEquals(await agents(room), [identity]);
    const agent = caller.agent();
    assertEquals([agent?.name, agent?.attributes["lk.agent.name"]], ["assistant", "assistant"]);

    // LiveKit's server lists jobs some seconds after it has given them to a worker that is new.
    const find = async () => (await dispatches.getDispatch(id, room))?.state?.jobs[0];
    const job = await until(find, "the job", 15_000);
    assertEquals([job.state?.participantIdentity, job.metadata], [identity, "of the job"]);

    await dispatches.deleteDispatch(again.id, room);
    await dispatches.deleteDispatch(id, room);
    const [ended] = await server().untilTold("session ended", room);
    assertEquals(ended?.reason, "deleted");
    assertEquals(await ends(job.id), ["JS_SUCCESS"]);
    assertEquals(server().told("agent joined", room).length, 1);
  });

  it("has succeeded, to LiveKit, when the caller hangs up", options, async () => {
    const room = newRoomName();
    await rooms.createRoom({ name: room, departureTimeout: 60 });
    const caller = await call(room);
    const { id } = await dispatches.createDispatch(room, "assistant");
    await untilGreeted(caller);
    await caller.leave();
    const [left] = await server().untilTold("session ended", room);
    assertEquals(left?.reason, "participant-left");
    const job = await until(
      async () => (await dispatches.getDispatch(id, room))?.state?.jobs[0],
      "the job",
      15_000,
    );
    assertEquals(await ends(job.id), ["JS_SUCCESS"]);
  });

  it("by LiveKit's Python client sends the agent", { ...options, ignore: !python }, async () => {
    if (!python) return;
    const room = newRoomName();
    await python(access.httpUrl, access.apiKey, access.apiSecret, "create", room, "assistant", "m");
    await server().untilTold("agent joined", room);
    assertEquals((await agents(room)).length, 1);
  });

  it("with a room, by createRoom, sends all its agents", options, async () => {
    const room = newRoomName();
    const wanted = ["assistant", "echo"].map((agentName) => new RoomAgentDispatch({ agentName }));
    await rooms.createRoom({ name: room, agents: wanted });
    await server().untilTold("agent joined", room, 2);
    const joined = server().told("agent joined", room).map(({ agent }) => agent);
    assertEquals(joined.toSorted(), ["assistant", "echo"]);
  });
});

describe("a room that a caller makes, where there are an AUTO_AGENT and webhooks", () => {
  afterAll(() => void (relay.target = undefined)); // before the server ends
  const server = oneServer({ AUTO_AGENT: "assistant" });
  const webhook = (room: string, event: string) =>
    until(() => relay.webhooks.some((one) => one.room === room && one.event === event), event, 15_000);
  beforeAll(() => {
    relay.target = livekit && server().address;
  });

  it("is sent the agent that the token names, and no other", options, async () => {
    const room = newRoomName();
    await using _caller = await call(room, { token: await tokenWithAgent(room, "echo") });
    await server().untilTold("agent joined", room);
    await webhook(room, "track_published");
    assertEquals(server().told("agent joined", room).map(({ agent }) => agent), ["echo"]);
  });

  it("and that asks for nobody is sent AUTO_AGENT, once", options, async () => {
    const room = newRoomName();
    await using caller = await call(room);
    await untilGreeted(caller);
    await webhook(room, "track_published");
    assertEquals(server().told("agent joined", room).length, 1);
    assertEquals((await agents(room)).length, 1);
  });
});

describe("livekit-server that is restarted", () => {
  it("has the agents registered again, and sends them", options, async () => {
    const first = await startLiveKitServer();
    assert(first);
    await using server = await startRepartee(first);
    await first.kill();
    await server.untilTold("not registered with LiveKit, which sends no jobs; it is tried again");
    await using second = await startLiveKitServer({ like: first });
    assert(second);
    await server.untilTold("registered with LiveKit", undefined, 2);
    const { call, dispatches } = clients(second);
    const room = newRoomName();
    await using caller = await call(room);
    await dispatches.createDispatch(room, "assistant");
    await untilGreeted(caller);
    assertEquals(server.told("agent joined").length, 1);
  });
});

/** How the job ended, as the log of LiveKit's server has it: the API never says. */
async function ends(jobId: string): Promise<string[]> {
  const lines = () =>
    access.output.split("\n").filter((line) => line.includes("job ended") && line.includes(jobId));
  await until(() => lines().length > 0, "the job's end");
  return lines().map((line) => /"status": "(\w+)"/.exec(line)?.[1] ?? line);
}

/** A token by which the room, where there is none, is made with an agent. The SDK's asks for more than this server knows. */
function tokenWithAgent(room: string, agentName: string): Promise<string> {
  const claims = { name: "", video: { room, roomJoin: true }, roomConfig: { agents: [{ agentName }] } };
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuer(access.apiKey).setSubject(
    "caller",
  )
    .setExpirationTime("10m").sign(new TextEncoder().encode(access.apiSecret));
}
