/** Calls whose process is killed: another goes on with them, on real servers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { type ChatBody, startOpenAIEmulator } from "../emulators/openai.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { untilKept } from "./kept.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
const redis = await startRedisServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit || !redis, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};
const greeting = "Hello! I can tell you the weather, or schedule a meeting.";
const lost = "Sorry, I lost you for a second.";
const meeting = {
  name: "scheduleMeeting",
  arguments: { date: "2999-01-01", time: "10:00", reason: "a talk" },
};

async function dispatch(address: string, room: string): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  const response = await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room, agent: "tools" }),
  });
  assertEquals(response.status, 201);
  return (await response.json()).sessionId;
}

/** Settles with when the agent had said `text`. */
const untilSaid = async (caller: Caller, text: string, identity: string): Promise<number> => {
  const said = () =>
    caller.transcripts.find((one) => one.identity === identity && one.closed && one.text === text);
  return (await until(said, `the agent to say ${JSON.stringify(text)}`, 30_000)).atMs;
};
const write = (caller: Caller, text: string) =>
  caller.room.localParticipant!.sendText(text, { topic: "lk.chat" });

/** The model books when it is told to, and again when it is asked anew; what it says of that it says once it may. */
async function world(more: Readonly<Record<string, string>>) {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ apiKey: "ears" }));
  let isHeld = true;
  let isBooked = false;
  const openai = stack.use(
    await startOpenAIEmulator({
      apiKey: "mind",
      answer(user, _, { messages }) {
        if (user !== "Book it.") return `You said: ${user}`;
        if (results(messages).length === 2) return "It is booked.";
        isBooked = true;
        return { calls: [meeting] };
      },
      fault: () => isHeld && isBooked ? { type: "hang" } : undefined,
    }),
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
      LOG_LEVEL: "debug",
      ...more,
    });
  const moved = stack.move();
  return {
    openai,
    serve,
    letGo: () => void (isHeld = false),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

const results = (messages: ChatBody["messages"]) => messages.filter(({ role }) => role === "tool");

describe("a call whose process is killed", () => {
  it("goes on in another, with all that was said, and does nothing twice", options, async () => {
    await using all = await world({ REDIS_URL: redis?.url ?? "" });
    await using first = await all.serve();
    await using second = await all.serve();
    await second.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    const sessionId = await dispatch(await first.url, room);
    const agent = `agent-${sessionId}`;
    await untilSaid(caller, greeting, agent);
    await write(caller, "Hello there.");
    await untilSaid(caller, "You said: Hello there.", agent);
    await write(caller, "Book it.");
    await untilKept(redis?.url ?? "", "M1001");

    const killedMs = performance.now();
    first.kill("SIGKILL");
    all.letGo();
    const lostMs = await untilSaid(caller, lost, agent);
    console.log(`${Math.round(lostMs - killedMs)} ms after the kill the agent was there again`);
    await untilSaid(caller, "It is booked.", agent);
    assert(lostMs - killedMs < 10_000, `the agent came back after ${lostMs - killedMs} ms`);
    const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
    const contents = messages.map(({ content }) => String(content));
    for (const text of ["You said: Hello there.", "Book it."]) {
      assert(contents.includes(text), contents.join("\n"));
    }
    assert(contents.some((content) => greeting.startsWith(content.slice(0, 20))));
    const [done, again] = results(messages).map(({ content }) => String(content));
    assertMatch(done ?? "", /^{"confirmationId":"M1001"/);
    assertEquals(again, `${done} (This was called twice with the same arguments, and done once.)`);

    await write(caller, "Thank you.");
    await untilSaid(caller, "You said: Thank you.", agent);
    await caller.leave();
    await until(() => second.log.some(({ msg }) => msg === "session ended"), "the session's end", 15_000);
    const ended = second.log.find(({ msg }) => msg === "session ended");
    assertEquals(ended?.sessionId, sessionId);
  });

  it(
    "goes on in another also when its process only stood still, which then ends its part",
    options,
    async () => {
      await using all = await world({ REDIS_URL: redis?.url ?? "" });
      await using first = await all.serve();
      await using second = await all.serve();
      await second.url;
      const room = `room-${crypto.randomUUID()}`;
      await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
      const agent = `agent-${await dispatch(await first.url, room)}`;
      await untilSaid(caller, greeting, agent);
      await write(caller, "Hello there.");
      await untilSaid(caller, "You said: Hello there.", agent);
      await caller.untilQuiet(); // and it is written down that nothing is owed
      Deno.kill(first.pid, "SIGSTOP");
      try {
        await untilSaid(caller, `${lost} Please go on.`, agent);
      } finally {
        Deno.kill(first.pid, "SIGCONT");
      }
      await until(() => first.log.some(({ msg }) => msg === "session ended"), "the first to end", 15_000);
      await write(caller, "Are you there?");
      await untilSaid(caller, "You said: Are you there?", agent);
      assert(!second.log.some(({ msg }) => msg === "session ended"));
      assertEquals(caller.transcripts.filter(({ text }) => text === "You said: Are you there?").length, 1);
    },
  );

  it("goes on in the one that is started in its place", options, async () => {
    const folder = `state/test-${crypto.randomUUID()}`;
    await using all = await world({ STATE_DIR: folder });
    try {
      const room = `room-${crypto.randomUUID()}`;
      await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
      await using first = await all.serve();
      const agent = `agent-${await dispatch(await first.url, room)}`;
      await untilSaid(caller, greeting, agent);
      await write(caller, "Hello there.");
      await untilSaid(caller, "You said: Hello there.", agent);
      await caller.untilQuiet();
      first.kill("SIGKILL");
      await first.exit;
      await using _second = await all.serve();
      await untilSaid(caller, `${lost} Please go on.`, agent);
      await write(caller, "Are you there?");
      await untilSaid(caller, "You said: Are you there?", agent);
      const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
      assert(messages.some(({ content }) => content === "Hello there."));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
