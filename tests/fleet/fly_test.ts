/** Machines on Fly.io, or what stands for it: one that a webhook starts, and two of which one is full. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken, AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { joinCaller, until } from "../e2e/caller.ts";
import { type LiveKitServer, startLiveKitServer } from "../e2e/livekit_server.ts";
import { startServer } from "../e2e/server.ts";
import { patientMs } from "./call.ts";
import { sleep } from "./fleet.ts";
import { startFlyProxy } from "./fly_proxy.ts";

const ears = await startDeepgramEmulator({ apiKey: "deepgram" });
const model = await startOpenAIEmulator({ apiKey: "openai" });
const machine = (region: string, env: Readonly<Record<string, string>>) => ({
  region,
  start: () =>
    startServer({
      LIVEKIT_URL: livekit?.url ?? "",
      LIVEKIT_API_KEY: livekit?.apiKey ?? "",
      LIVEKIT_API_SECRET: livekit?.apiSecret ?? "",
      OPENAI_API_KEY: "openai",
      OPENAI_BASE_URL: model.url,
      DEEPGRAM_API_KEY: "deepgram",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      FLY_REGION: region,
      ...env,
    }),
});
const rarely = startFlyProxy([
  machine("fra", { AUTO_AGENT: "assistant", IDLE_EXIT: "1", LIVEKIT_WORKER: "0" }),
]);
const often = startFlyProxy([machine("fra", { MAX_SESSIONS: "1" }), machine("iad", { MAX_SESSIONS: "2" })]);
const livekit: LiveKitServer | undefined = await startLiveKitServer({
  webhookUrl: `${rarely.url}/webhooks/livekit`,
});
/** The callers' native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await Promise.all([rarely, often, ears, model].map((one) => one[Symbol.asyncDispose]()));
});

describe("a machine that is stopped when nobody needs it", () => {
  it("is started by a webhook, stays while a call lasts, and ends", options, async () => {
    assert(livekit);
    const admin = new RoomServiceClient(livekit.httpUrl, livekit.apiKey, livekit.apiSecret);
    for (const room of ["first", "second"]) {
      assertEquals(rarely.running, 0);
      const calledMs = performance.now();
      await using caller = await joinCaller({ ...livekit, roomName: room });
      const heardMs = await caller.untilSpeech({ sinceMs: calledMs, timeoutMs: patientMs });
      console.log(
        `a call starts a machine, whose agent is heard after ${((heardMs - calledMs) / 1000).toFixed(1)} s`,
      );
      await sleep(2_500); // longer than it would wait for a call
      assertEquals([rarely.running, caller.agent() !== undefined], [1, true]);
      await caller.leave();
      await admin.deleteRoom(room);
      await until(() => rarely.running === 0, "the machine's end", patientMs);
      assertEquals(await rarely.servers.at(-1)?.exit, 0);
    }
    assert(rarely.servers.length >= 2);
  });
});

describe("machines of which one is full", () => {
  it("send a dispatch on to another, and say no when all are", options, async () => {
    assert(livekit);
    const { httpUrl, apiKey, apiSecret } = livekit;
    const admin = new RoomServiceClient(httpUrl, apiKey, apiSecret);
    const dispatch = async (room: string, region?: string) => {
      const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
      token.addGrant({ room, roomAdmin: true });
      const response = await fetch(`${often.url}/dispatch`, {
        method: "POST",
        headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
        body: JSON.stringify({ room, agent: "echo", ...(region && { region }) }),
      });
      await response.body?.cancel();
      return response.status;
    };
    const rooms = () =>
      often.servers.map(({ log }) =>
        log.filter(({ msg, agent }) => msg === "agent joined" && agent === "echo").map(({ room }) => room)
      );
    const untilRoomsAre = (...expected: string[][]) =>
      until(() => JSON.stringify(rooms()) === JSON.stringify(expected), JSON.stringify(expected), patientMs);

    for (const name of ["a", "b", "c"]) await admin.createRoom({ name, emptyTimeout: 300 }); // agents alone do not keep it
    const taken = [201, 202]; // or it is on its way
    assert(taken.includes(await dispatch("a")));
    await untilRoomsAre(["a"]);
    assert(taken.includes(await dispatch("b")));
    await untilRoomsAre(["a"], ["b"]);
    // LiveKit knows itself which of its workers is full.
    const registered = () =>
      often.servers.every(({ log }) => log.some(({ msg }) => msg === "registered with LiveKit"));
    await until(registered, "the workers", patientMs);
    await new AgentDispatchClient(httpUrl, apiKey, apiSecret).createDispatch("c", "echo");
    await untilRoomsAre(["a"], ["b", "c"]);
    assertEquals(await dispatch("d"), 503);
    assertEquals(await dispatch("d", "iad"), 503);
  });
});
