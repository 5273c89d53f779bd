/** The user's key to talk, by RPC through a real livekit-server. */
import { assertEquals, assertRejects } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import type { RoomMessage } from "../../src/room/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
afterAll(() => server?.[Symbol.asyncDispose]());

describe("LiveKit room: a key to talk", { ignore: server === undefined }, () => {
  it("takes the linked participant's calls, and nobody else's", async () => {
    const { url, apiKey, apiSecret } = server ?? { url: "", apiKey: "", apiSecret: "" };
    const roomName = `room-${crypto.randomUUID()}`;
    await using ann = await joinCaller({ url, apiKey, apiSecret, roomName, identity: "ann" });
    await using room = await joinLiveKitRoom({
      url,
      apiKey,
      apiSecret,
      roomName,
      identity: "agent",
      agentName: "assistant",
      subscribe: "audio",
      clock,
      log: fakeLog(),
      signal: new AbortController().signal,
    });
    await room.waitForParticipant("ann");
    await using bob = await joinCaller({ url, apiKey, apiSecret, roomName, identity: "bob" });
    const messages: RoomMessage[] = [];
    void room.messages?.pipeTo(new WritableStream({ write: (message) => void messages.push(message) }));
    await until(() => ann.agent(), "the agent");

    const call = (caller: typeof ann, method: string, payload: string) =>
      caller.room.localParticipant!.performRpc({ destinationIdentity: "agent", method, payload });
    assertEquals(await call(ann, "repartee.turn", "start"), "ok");
    assertEquals(await call(ann, "repartee.turn", '"commit"'), "ok");
    assertEquals(await call(ann, "start_turn", ""), "ok");
    assertEquals(await call(ann, "end_turn", ""), "ok");
    assertEquals(await call(ann, "cancel_turn", ""), "ok");
    await assertRejects(() => call(ann, "repartee.turn", "dance"), /expected "start", "commit" or "cancel"/);
    await assertRejects(() => call(bob, "repartee.turn", "start"), /talks with somebody else/);
    await until(() => messages.length === 5, "the calls");
    const actions = ["start", "commit", "start", "commit", "cancel"] as const;
    assertEquals(messages, actions.map((action) => ({ type: "turn", action })));
  });
});
