/** Servers that are to end in the middle of calls. */
import { assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
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
});
