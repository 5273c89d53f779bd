/** Calls whose process is killed: another goes on with them, on real servers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type { ChatBody } from "../emulators/openai.ts";
import { joinCaller, until } from "./caller.ts";
import { untilKept } from "./kept.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";
import { resumeWorld, send, untilSaid, write } from "./resume_world.ts";

const livekit = await startLiveKitServer();
const redis = await startRedisServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit || !redis, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};
const access = { url, apiKey, apiSecret };
const greeting = "Hello! I can tell you the weather, or schedule a meeting.";
const lost = "Sorry, I lost you for a second.";
const meeting = {
  name: "scheduleMeeting",
  arguments: { date: "2999-01-01", time: "10:00", reason: "a talk" },
};

/** The model books when it is told to, and again when it is asked anew; what it says of that it says once it may. */
async function world(env: Readonly<Record<string, string>>) {
  let isHeld = true;
  let isBooked = false;
  const all = await resumeWorld(access, {
    env,
    model: {
      answer(user, _, { messages }) {
        if (user !== "Book it.") return `You said: ${user}`;
        if (results(messages).length === 2) return "It is booked.";
        isBooked = true;
        return { calls: [meeting] };
      },
      fault: () => isHeld && isBooked ? { type: "hang" } : undefined,
    },
  });
  return { ...all, letGo: () => void (isHeld = false) };
}

const results = (messages: ChatBody["messages"]) => messages.filter(({ role }) => role === "tool");

describe("a call whose process is killed", () => {
  it("goes on in another, with all that was said, and does nothing twice", options, async () => {
    await using all = await world({ REDIS_URL: redis?.url ?? "" });
    await using first = await all.serve();
    await using second = await all.serve();
    await second.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ ...access, roomName: room });
    const sessionId = await send(access, await first.url, { room, agent: "tools" });
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
      await using caller = await joinCaller({ ...access, roomName: room });
      const agent = `agent-${await send(access, await first.url, { room, agent: "tools" })}`;
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
      await using caller = await joinCaller({ ...access, roomName: room });
      await using first = await all.serve();
      const agent = `agent-${await send(access, await first.url, { room, agent: "tools" })}`;
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
