/** LiveKit's own dispatches reach the real process, which is a worker of the real livekit-server. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { SignJWT } from "jose";
import { RoomAgentDispatch } from "@livekit/protocol";
import { until } from "./caller.ts";
import { clients, newRoomName, startRepartee, untilGreeted } from "./dispatch_world.ts";
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

describe("createDispatch of livekit-server-sdk, at LiveKit", () => {
  it("sends the agent as the job says; deleting it ends the call, in success", options, async () => {
    await using server = await startRepartee(access);
    const room = newRoomName();
    await using caller = await call(room);
    const { id } = await dispatches.createDispatch(room, "assistant", { metadata: "of the job" });
    const again = await dispatches.createDispatch(room, "assistant", { metadata: "of another" });
    await untilGreeted(caller);
    const [identity] = await agents(room);
    assertEquals(await agents(room), [identity]);
    const agent = caller.agent();
    assertEquals([agent?.name, agent?.attributes["lk.agent.name"]], ["assistant", "assistant"]);
    assertEquals(server.told("agent joined").length, 1);

    // LiveKit's server lists jobs some seconds after it has given them to a worker that is new.
    const job = await until(
      async () => (await dispatches.getDispatch(id, room))?.state?.jobs[0],
      "the job",
      15_000,
    );
    assertEquals([job.state?.participantIdentity, job.metadata], [identity, "of the job"]);

    await dispatches.deleteDispatch(again.id, room);
    await dispatches.deleteDispatch(id, room);
    const [ended] = await server.untilTold("session ended", room);
    assertEquals(ended?.reason, "deleted");
    const inLog = (jobId: string) =>
      access.output.split("\n").filter((line) => line.includes(jobId)).join("\n");
    assert(inLog(job.id).includes("JS_SUCCESS"), inLog(job.id));
    assertEquals(server.told("agent joined").length, 1);
  });

  it("has succeeded, to LiveKit, when the caller hangs up", options, async () => {
    await using server = await startRepartee(access);
    const room = newRoomName();
    await rooms.createRoom({ name: room, departureTimeout: 60 });
    const caller = await call(room);
    const before = access.output.length;
    await dispatches.createDispatch(room, "assistant");
    await untilGreeted(caller);
    await caller.leave();
    const [left] = await server.untilTold("session ended", room);
    assertEquals(left?.reason, "participant-left");
    const ended = await until(
      () => access.output.slice(before).split("\n").find((line) => line.includes("job ended")),
      "the job's end",
    );
    assert(ended.includes("JS_SUCCESS"), ended);
  });
});

describe("createDispatch of LiveKit's Python client, at LiveKit", () => {
  it("sends the agent", { ...options, ignore: !python }, async () => {
    if (!python) return;
    await using server = await startRepartee(access);
    const room = newRoomName();
    const created = await python(
      access.httpUrl,
      access.apiKey,
      access.apiSecret,
      "create",
      room,
      "assistant",
      "m",
    );
    assertEquals((created as { readonly agentName: string }).agentName, "assistant");
    await server.untilTold("agent joined", room);
    assertEquals((await agents(room)).length, 1);
  });
});

describe("a room that is made", () => {
  it("with agents, by createRoom, is sent them", options, async () => {
    await using server = await startRepartee(access);
    const room = newRoomName();
    const wanted = [
      new RoomAgentDispatch({ agentName: "assistant" }),
      new RoomAgentDispatch({ agentName: "echo" }),
    ];
    await rooms.createRoom({ name: room, agents: wanted });
    await server.untilTold("agent joined", room, 2);
    assertEquals(server.told("agent joined", room).map(({ agent }) => agent).toSorted(), [
      "assistant",
      "echo",
    ]);
  });

  it("by a token with agents in it is sent them, and not AUTO_AGENT", options, async () => {
    await using server = await startRepartee(access, { env: { AUTO_AGENT: "echo" } });
    relay.target = server.address;
    const room = newRoomName();
    await using caller = await call(room, { token: await tokenWithAgent(room, "assistant") });
    await untilGreeted(caller);
    await until(
      () => relay.webhooks.some((one) => one.room === room && one.event === "participant_joined"),
      "it",
    );
    assertEquals(server.told("agent joined").map(({ agent }) => agent), ["assistant"]);
    relay.target = undefined;
  });

  it("and asks for nobody is sent AUTO_AGENT once, by a job and by webhooks", options, async () => {
    await using server = await startRepartee(access, { env: { AUTO_AGENT: "assistant" } });
    relay.target = server.address;
    const room = newRoomName();
    await using caller = await call(room);
    await untilGreeted(caller);
    await until(
      () => relay.webhooks.some((one) => one.room === room && one.event === "track_published"),
      "it",
    );
    assertEquals(server.told("agent joined").length, 1);
    assertEquals((await agents(room)).length, 1);
    relay.target = undefined;
  });
});

describe("livekit-server that is restarted", () => {
  it("has the agents registered again, and sends them", options, async () => {
    const first = await startLiveKitServer();
    assert(first);
    await using server = await startRepartee(first);
    await first.kill();
    await until(
      () => server.told("not registered with LiveKit, which sends no jobs; it is tried again")[0],
      "the loss",
    );
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

/** A token by which the room, where there is none, is made with an agent. The SDK's own asks for more than this server knows. */
function tokenWithAgent(room: string, agentName: string): Promise<string> {
  const claims = { name: "", video: { room, roomJoin: true }, roomConfig: { agents: [{ agentName }] } };
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuer(access.apiKey).setSubject(
    "caller",
  )
    .setExpirationTime("10m").sign(new TextEncoder().encode(access.apiSecret));
}
