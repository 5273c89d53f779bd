/** Servers that are to end in the middle of calls. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { ParticipantKind, RoomEvent } from "@livekit/rtc-node";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
afterAll(() => livekit?.[Symbol.asyncDispose]());

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

  it("hands its calls over to another: nobody in them notices, and it exits", options, async () => {
    const folder = `state/test-${crypto.randomUUID()}`;
    await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
    await using all = await world({ STATE_DIR: folder, DRAIN_TIMEOUT: "120" });
    await using first = await all.serve();
    await using second = await all.serve();
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    assertEquals((await dispatch(await first.url, room)).status, 201);
    await second.url;
    await untilSaid(caller, greeting);
    await write(caller, "My name is Ada.");
    await untilSaid(caller, "You said: My name is Ada.");

    const seen = followAgents(caller);
    const beganMs = performance.now();
    first.kill("SIGTERM");
    assertEquals(await first.exit, 0);
    console.log(`${Math.round(performance.now() - beganMs)} ms from SIGTERM to the exit`);
    assertEquals(first.log.find(({ msg }) => msg === "session ended")?.reason, "handed-over");
    assert(!second.log.some(({ msg }) => msg === "session ended"), second.output);
    await write(caller, "What is my name?");
    await untilSaid(caller, "You said: What is my name?");
    assertEquals(seen.filter((identity) => identity === undefined), []);
    assertEquals([...new Set(seen)].length, 2);
    const said = caller.transcripts.filter(({ identity }) => identity !== "caller").map(({ text }) => text);
    assertEquals(said, [greeting, "You said: My name is Ada.", "You said: What is my name?"]);
    const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
    const told = messages.map(({ content }) => String(content));
    for (const text of said.slice(0, 2)) assert(told.includes(text), told.join("\n"));
  });
});

/** The agent's identity as LiveKit's components find it, at the beginning and at each change. */
function followAgents({ room }: Caller): (string | undefined)[] {
  const find = () =>
    [...room.remoteParticipants.values()].find(({ kind, attributes }) =>
      kind === ParticipantKind.AGENT && !("lk.publish_on_behalf" in attributes)
    )?.identity;
  const seen = [find()];
  const events = [
    RoomEvent.ParticipantConnected,
    RoomEvent.ParticipantDisconnected,
    RoomEvent.ParticipantAttributesChanged,
  ] as const;
  for (const event of events) room.on(event, () => void seen.push(find()));
  return seen;
}
