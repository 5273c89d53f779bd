/** What the participant's client is asked to do, by RPC through a real livekit-server. */
import { assertEquals, assertRejects } from "@std/assert";
import { RpcError } from "@livekit/rtc-node";
import { afterAll, describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
afterAll(() => server?.[Symbol.asyncDispose]());

describe("LiveKit room: the participant's client", { ignore: server === undefined }, () => {
  it("does what it is asked, or it is said in words why not", async () => {
    const { url, apiKey, apiSecret } = server ?? { url: "", apiKey: "", apiSecret: "" };
    const access = { url, apiKey, apiSecret, roomName: `room-${crypto.randomUUID()}` };
    await using room = await joinLiveKitRoom({
      ...access,
      identity: "agent",
      agentName: "assistant",
      subscribe: "audio",
      clock,
      log: fakeLog(),
      signal: new AbortController().signal,
    });
    const ask = async (
      method: string,
      payload = "",
      { timeoutMs = 5_000, signal = AbortSignal.timeout(20_000) } = {},
    ) => await room.performRpc?.(method, payload, { signal, timeoutMs });
    await assertRejects(() => ask("show"), /not connected at the moment/);

    const caller = await joinCaller({ ...access, identity: "ann" });
    await room.waitForParticipant("ann");
    await until(() => caller.agent(), "the agent");
    const { localParticipant: client } = caller.room;
    const never = Promise.withResolvers<string>();
    client?.registerRpcMethod(
      "show",
      ({ callerIdentity, payload }) => Promise.resolve(`${callerIdentity}: ${payload}`),
    );
    client?.registerRpcMethod("refuse", () => Promise.reject(new RpcError(4242, "The form is not open.")));
    client?.registerRpcMethod("hang", () => never.promise);

    assertEquals(await ask("show", '{"text":"hé"}'), 'agent: {"text":"hé"}');
    assertEquals((await ask("show", "x".repeat(15_000)))?.length, 15_007);
    await assertRejects(() => ask("refuse"), /^Error: The form is not open\.$/);
    await assertRejects(() => ask("dance"), /does not know how to do this/);
    await assertRejects(() => ask("hang", "", { timeoutMs: 1_000 }), /did not answer in time/);
    const cut = new AbortController();
    const unwanted = ask("hang", "", { signal: cut.signal });
    cut.abort(new Error("interrupted"));
    await assertRejects(() => unwanted, /interrupted/);
    never.resolve("late");
    await caller.leave();
  });
});
