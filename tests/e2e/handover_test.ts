/** Servers that are to end in the middle of calls. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type * as Client from "livekit-client";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { openClient, startBrowser } from "./browser.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
const browser = livekit && await startBrowser();
const inBrowser = { ...options, ignore: !browser };
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await livekit?.[Symbol.asyncDispose]();
});

const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};
const greeting = "Hello! How can I help you today?";
const goodbye = "I am sorry, I have to end this call now. Please call again in a moment. Goodbye.";

async function dispatch(address: string, room: string): Promise<Response> {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room, agent: "assistant" }),
  });
}

/** Settles when the agent, by whichever identity, has said `text`. */
const untilSaid = (caller: Caller, text: string) =>
  until(
    () => caller.transcripts.some((one) => one.identity !== "caller" && one.closed && one.text === text),
    `the agent to say ${JSON.stringify(text)}`,
    30_000,
  );
const write = (caller: Caller, text: string) =>
  caller.room.localParticipant!.sendText(text, { topic: "lk.chat" });

/** A model that says what it was told, and what servers need beside it. */
async function world(more: Readonly<Record<string, string>>) {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ apiKey: "ears" }));
  const openai = stack.use(
    await startOpenAIEmulator({ apiKey: "mind", answer: (user) => `You said: ${user}` }),
  );
  const serve = () =>
    startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      OPENAI_API_KEY: "mind",
      OPENAI_BASE_URL: openai.url,
      DEEPGRAM_API_KEY: "ears",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      ...more,
    });
  const moved = stack.move();
  return { openai, serve, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

describe("a server that is to end", () => {
  it("lets its calls go on, takes none, and has them end with a goodbye at last", options, async () => {
    await using all = await world({ DRAIN_TIMEOUT: "120" });
    await using server = await all.serve();
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    assertEquals((await dispatch(address, room)).status, 201);
    await untilSaid(caller, greeting);

    server.kill("SIGTERM");
    await until(() => server.log.some(({ msg }) => msg === "draining"), "the server to drain");
    assertMatch(server.output, /Waiting for a call to end, until /);
    assertEquals((await fetch(`${address}/readyz`)).status, 503);
    const refused = await dispatch(address, `room-${crypto.randomUUID()}`);
    assertEquals(refused.status, 503);
    await write(caller, "Are you there?");
    await untilSaid(caller, "You said: Are you there?");

    server.kill("SIGTERM");
    await untilSaid(caller, goodbye);
    assertEquals(await server.exit, 0);
    const ended = server.log.find(({ msg }) => msg === "session ended");
    assertEquals(ended?.reason, "shutdown");
    await until(() => caller.agent() === undefined, "the agent to leave");
  });

  it("hands its calls over to another: nobody in them notices, and it exits", inBrowser, async () => {
    const folder = `state/test-${crypto.randomUUID()}`;
    await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
    await using all = await world({ STATE_DIR: folder, DRAIN_TIMEOUT: "120" });
    await using first = await all.serve();
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    const { sessionId } = await (await dispatch(await first.url, room)).json();
    await untilSaid(caller, greeting);
    await write(caller, "My name is Ada.");
    await untilSaid(caller, "You said: My name is Ada.");

    assert(browser);
    await using client = await openClient(browser);
    const token = new AccessToken(apiKey, apiSecret, { identity: "watcher" });
    token.addGrant({ room, roomJoin: true });
    await client.page.evaluate(watchAgent, { url, token: await token.toJwt() });

    await using second = await all.serve(); // while nothing is said: what is late goes on elsewhere by itself
    await second.url;
    const beganMs = performance.now();
    first.kill("SIGTERM");
    assertEquals(await first.exit, 0);
    console.log(`${Math.round(performance.now() - beganMs)} ms from SIGTERM to the exit`);
    assertEquals(first.log.find(({ msg }) => msg === "session ended")?.reason, "handed-over");
    assert(!second.log.some(({ msg }) => msg === "session ended"), second.output);
    await write(caller, "What is my name?");
    await untilSaid(caller, "You said: What is my name?");
    const agent = `agent-${sessionId}`;
    assertEquals(await client.page.evaluate("window.seen"), [agent, `${agent}.1`]);
    assertEquals(await client.page.evaluate("window.failed"), []);
    await client.page.evaluate("window.room.disconnect()");
    const said = caller.transcripts.filter(({ identity }) => identity !== "caller").map(({ text }) => text);
    assertEquals(said, [greeting, "You said: My name is Ada.", "You said: What is my name?"]);
    const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
    const told = messages.map(({ content }) => String(content));
    for (const text of said.slice(0, 2)) assert(told.includes(text), told.join("\n"));
  });
});

/**
 * Runs in the page: joins, and keeps what LiveKit's components would show: the agent at each change, and whether one left
 * while it was theirs, which is a failure (`useAgent`).
 */
async function watchAgent({ url, token }: { readonly url: string; readonly token: string }) {
  const { LivekitClient: { Room, RoomEvent, ParticipantKind } } = globalThis as unknown as {
    LivekitClient: Pick<typeof Client, "Room" | "RoomEvent" | "ParticipantKind">;
  };
  const room = new Room();
  const seen: (string | undefined)[] = [];
  const failed: string[] = [];
  Object.assign(globalThis, { room, seen, failed });
  const look = () => {
    const agent = [...room.remoteParticipants.values()].find(({ kind, attributes }) =>
      kind === ParticipantKind.AGENT && !("lk.publish_on_behalf" in attributes)
    );
    if (seen.length === 0 || seen.at(-1) !== agent?.identity) seen.push(agent?.identity);
  };
  room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => {
    if (identity === seen.at(-1)) failed.push(identity);
    look();
  });
  room.on(RoomEvent.ParticipantConnected, look);
  room.on(RoomEvent.ParticipantAttributesChanged, look);
  await room.connect(url, token);
  look();
}
