/** A real server that is full by its memory: it refuses calls, keeps the one it has, and then takes another. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken, AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

describe("admission", () => {
  it("refuses what there is no memory for, and takes calls again", { ignore: !livekit }, async () => {
    assert(livekit);
    const { url, httpUrl, apiKey, apiSecret } = livekit;
    await using server = await startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      HOST: "127.0.0.1",
      STT: "deepgram/nova-3", // is not connected to before somebody speaks
      DEEPGRAM_API_KEY: "none",
      TTS: "flite/slt",
      MAX_RSS_MB: "1",
    });
    const address = await server.url;
    const dispatch = async (room: string) => {
      const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
      token.addGrant({ room, roomAdmin: true });
      return await fetch(`${address}/dispatch`, {
        method: "POST",
        headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
        body: JSON.stringify({ room }),
      });
    };
    const readiness = async () => {
      const response = await fetch(`${address}/readyz`);
      return { status: response.status, ...(await response.json()) };
    };
    const load = async () =>
      Number(/^repartee_load (\S+)$/m.exec(await (await fetch(`${address}/metrics`)).text())?.[1]);

    assertEquals([await readiness(), await load()], [{ status: "ready" }, 0.69]);
    const first = await dispatch("a");
    const { sessionId } = await first.json();
    assert([201, 202].includes(first.status));

    const refused = await dispatch("b");
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "10"]);
    assertMatch(
      (await refused.json()).detail,
      /^The process takes \d+ MB of memory \(at most 1\); try again/,
    );
    const { status, limit } = await readiness();
    assertEquals([status, limit, await load()], [503, "memory", 1]);
    const twirp = new AgentDispatchClient(address, apiKey, apiSecret);
    const error = await twirp.createDispatch("b", "assistant").then(() => undefined, (error) => error);
    assertEquals([error?.status, error?.code], [429, "resource_exhausted"]);

    const same = await dispatch("a"); // who is there is there
    assertEquals([same.status, (await same.json()).sessionId], [200, sessionId]);

    await new RoomServiceClient(httpUrl, apiKey, apiSecret).deleteRoom("a");
    await until(async () => (await readiness()).status === "ready", "a place", 15_000);
    const next = await dispatch("b");
    assert([201, 202].includes(next.status));
    await next.body?.cancel();
  });
});
