/** The real livekit-server's webhooks, the real process: nobody dispatches, and the agent comes. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken, RoomServiceClient } from "livekit-server-sdk";
import { livekitRooms } from "../../src/dispatch/rooms.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { type LogEntry, startServer } from "./server.ts";
import { startWebhookRelay } from "./webhook_relay.ts";

const relay = startWebhookRelay();
const livekit = await startLiveKitServer({ webhookUrl: relay.url });
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

const access = () => livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const admin = () => new RoomServiceClient(access().httpUrl, access().apiKey, access().apiSecret);
const newRoomName = () => `room-${crypto.randomUUID()}`;
const call = (roomName: string, identity = "caller") => joinCaller({ ...access(), roomName, identity });
const greeting = "Hello! How can I help you today?";
const keys = { openai: "sk-openai", deepgram: "deepgram" };

/** The server, whom the relay passes webhooks on to. */
async function startAll(env: Record<string, string> = {}) {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ apiKey: keys.deepgram }));
  const model = stack.use(await startOpenAIEmulator({ apiKey: keys.openai }));
  const { url, apiKey, apiSecret } = access();
  const server = stack.use(
    await startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      OPENAI_API_KEY: keys.openai,
      OPENAI_BASE_URL: model.url,
      DEEPGRAM_API_KEY: keys.deepgram,
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      LIVEKIT_WORKER: "0", // what LiveKit dispatches by itself is not what is tested
      ...env,
    }),
  );
  relay.target = await server.url;
  relay.holding = false;
  stack.defer(() => {
    relay.target = undefined;
  });
  const started = stack.move();
  /** The lines of the log about `room`. */
  const told = (room: string, msg: string) =>
    server.log.filter((line: LogEntry) => line.room === room && line.msg === msg);
  return { server, address: relay.target, told, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Waits for the agent to have greeted this caller. */
const untilGreeted = (caller: Caller) =>
  until(
    () => caller.transcripts.some(({ text, closed }) => closed && text === greeting),
    "the greeting",
    15_000,
  );

const untilTold = (all: Awaited<ReturnType<typeof startAll>>, room: string, msg: string, times: number) =>
  until(() => all.told(room, msg).length === times, `"${msg}", ${times} times`, 15_000);

async function dispatch(address: string, room: string) {
  const token = new AccessToken(access().apiKey, access().apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  const response = await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room }),
  });
  return { status: response.status, body: await response.json() };
}

describe("webhooks of a real LiveKit", () => {
  it("send the agent that the room's metadata names; who comes back finds it again", options, async () => {
    await using all = await startAll();
    const room = newRoomName();
    await admin().createRoom({ name: room, metadata: '{"agent": "assistant"}' });
    await using listener = await call(room, "listener"); // keeps the room open
    await untilGreeted(listener);
    await admin().removeParticipant(room, "listener");
    await listener.leave();

    const other = newRoomName();
    await admin().createRoom({ name: other, metadata: '{"agent": "assistant"}', departureTimeout: 60 });
    const first = await call(other);
    await untilGreeted(first);
    const { sid } = (await admin().listRooms([other]))[0] ?? {};
    const sent = await dispatch(all.address, other);
    assertEquals([sent.status, sent.body.state], [200, "connected"]);
    await first.leave();
    await untilTold(all, other, "session ended", 1);
    assertEquals(all.told(other, "session ended")[0]?.reason, "participant-left");

    const second = await call(other);
    await untilGreeted(second);
    assertEquals(all.told(other, "agent joined").length, 2);

    // A page that is loaded again comes back at once, under another name: the session still waits for the first.
    await second.leave();
    await using third = await call(other, "caller-again");
    await untilGreeted(third);
    assertEquals(all.told(other, "agent joined").length, 3);
    assertEquals((await admin().listRooms([other]))[0]?.sid, sid);
    assert(relay.answers.every((status) => status === 200), String(relay.answers));
    assert(!all.server.log.some(({ level }) => level === "error"), all.server.output);
  });

  it(
    "send AUTO_AGENT, once, when they come twice and backwards; ends and later rooms too",
    options,
    async () => {
      await using all = await startAll({ AUTO_AGENT: "assistant" });
      const room = newRoomName();
      const of = (event: string, times = 1) =>
        until(
          () => {
            const all = relay.webhooks.filter((one) => one.room === room && one.event === event);
            return all.length >= times && all;
          },
          `${times} ${event}`,
          15_000,
        );
      relay.holding = true;
      const first = await call(room);
      const begun = [...await of("room_started"), ...await of("participant_joined")].reverse();
      for (const webhook of [...begun, ...begun]) assertEquals(await relay.send(webhook), 200);
      await untilGreeted(first);
      assertEquals(all.told(room, "agent joined").length, 1);

      await first.leave();
      await untilTold(all, room, "session ended", 1);
      const finished = await of("room_finished");
      for (const webhook of [...finished, ...begun, ...finished]) {
        assertEquals(
          await relay.send(webhook),
          200,
        );
      }

      // Another room of that name, while what is told of the first is still coming.
      relay.holding = false;
      await using second = await call(room);
      for (const webhook of [...begun, ...finished]) await relay.send(webhook);
      await untilGreeted(second);
      await new Promise((resolve) => setTimeout(resolve, 6_000)); // longer than the grace time of ends
      assertEquals(all.told(room, "agent joined").length, 2);
      assertEquals(all.told(room, "session ended").length, 1);
      assert(!all.server.log.some(({ level }) => level === "error"), all.server.output);
    },
  );

  it("come too late for a dispatch, which has its one agent; forged ones are refused", options, async () => {
    await using all = await startAll({ AUTO_AGENT: "assistant" });
    const room = newRoomName();
    assertEquals((await dispatch(all.address, room)).status, 201);
    await using caller = await call(room);
    await untilGreeted(caller);
    await until(
      () => relay.webhooks.some((one) => one.room === room && one.event === "participant_joined"),
      "it",
    );
    assertEquals(all.told(room, "agent joined").length, 1);
    const [webhook] = relay.webhooks.filter((one) => one.room === room);
    assert(webhook);
    assertEquals(await relay.send({ ...webhook, body: new TextEncoder().encode("{}") }), 401);
    assertEquals(await relay.send({ ...webhook, authorization: "" }), 401);
  });

  it("need an AUTO_AGENT that there is", options, async () => {
    await using server = await startServer({ AUTO_AGENT: "nobody" });
    assertEquals(await server.exit, 1);
    assertMatch(server.output, /AUTO_AGENT is "nobody"; expected an agent of the registry: .*assistant/);
  });
});

describe("rooms of a real LiveKit", () => {
  it(
    "are made where there is none, kept as they are where there is one, and read with who is there",
    options,
    async () => {
      const rooms = livekitRooms(access());
      const name = newRoomName();
      assertEquals(await rooms.find(name), undefined);
      const sid = await rooms.ensure(name);
      await admin().updateRoomMetadata(name, "kept");
      assertEquals(await rooms.ensure(name), sid);
      await using caller = await call(name);
      const found = await rooms.find(name);
      const sidOfCaller = caller.room.localParticipant?.sid;
      assertEquals(found, {
        sid,
        name,
        metadata: "kept",
        participants: [{ sid: sidOfCaller, identity: "caller", canTalk: true }],
        dispatches: found?.dispatches, // one, of nobody
      });
      assertEquals(found?.dispatches.map(({ agent, jobs }) => [agent, jobs]), [["", []]]);
      assertEquals(await rooms.dispatches(name), found?.dispatches);
      assertEquals((await rooms.list()).find((room) => room.name === name)?.sid, sid);
      assertEquals(await rooms.dispatches(newRoomName()), []);
      await admin().deleteRoom(name);
      assert(await rooms.ensure(name) !== sid);
    },
  );

  it("that cannot be reached, or not with these keys, are told in words", options, async () => {
    const refused = livekitRooms({ ...access(), apiSecret: "another-secret-of-more-than-32-characters" });
    await assertRejects(() => refused.ensure("r"), /LiveKit at ws:\/\/127\S+ answered 401/);
    const away = livekitRooms({ ...access(), url: "ws://127.0.0.1:9" });
    await assertRejects(() => away.find("r"), /LiveKit at ws:\/\/127.0.0.1:9 could not be reached: /);
  });
});
