/** The documentation's agents as an operator runs them: a real livekit-server, the real process, emulated providers. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startElevenLabsEmulator } from "../emulators/elevenlabs.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { wordsOf } from "../emulators/openai_images.ts";
import { loadClip } from "../fixtures/speech.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const question = "How deep is the sea?";
const answer = "It is more than ten kilometers deep in places.";
const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};
const environment = {
  LIVEKIT_URL: url,
  LIVEKIT_API_KEY: apiKey,
  LIVEKIT_API_SECRET: apiSecret,
  HOST: "127.0.0.1",
};

async function dispatch(address: string, room: string, agent: string) {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  const response = await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room, agent }),
  });
  return { status: response.status, body: await response.json() };
}

/** Waits for the agent to have said `text`. */
const untilSaid = (caller: Caller, text: string) =>
  until(
    () =>
      caller.transcripts.some((one) =>
        one.identity === caller.agent()?.identity && one.closed && one.text === text
      ),
    `the agent to say ${JSON.stringify(text)}`,
    15_000,
  );

const ears = () => startDeepgramEmulator({ apiKey: "ears-key", transcripts: [question], minEndpointMs: 300 });

describe("agents in LiveKit", () => {
  it("support: greets and answers with its own models", options, async () => {
    await using deepgram = await ears();
    await using openai = await startOpenAIEmulator({ apiKey: "mind-key", answer: () => answer });
    await using elevenlabs = await startElevenLabsEmulator({ apiKey: "voice-key" });
    await using server = await startServer({
      ...environment,
      DEEPGRAM_API_KEY: "ears-key",
      DEEPGRAM_BASE_URL: deepgram.url,
      OPENAI_API_KEY: "mind-key",
      OPENAI_BASE_URL: openai.url,
      ELEVENLABS_API_KEY: "voice-key",
      ELEVENLABS_BASE_URL: elevenlabs.url,
    });
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    assertEquals((await dispatch(address, room, "support")).status, 201);
    await caller.untilSpeech({ sinceMs: 0 });
    await untilSaid(caller, "Welcome to TechCorp support. How can I help?");
    await caller.untilQuiet();
    await caller.speak((await loadClip("one")).samples);
    await untilSaid(caller, answer);

    const asked = openai.requests[0]?.body;
    assertEquals([asked?.model, asked?.temperature], ["gpt-4o", 0.7]);
    const heard = deepgram.connections.map((
      { path, query },
    ) => [path, query.get("model"), query.get("language")]);
    assertEquals(heard, [["/v1/listen", "nova-2", "en"]]);
    const spoken = elevenlabs.connections.map(({ voice, query }) => [voice, query.get("model_id")]);
    // Another connection may have been made to keep the apology at hand.
    assertEquals([...new Set(spoken.map(String))], ["JBFqnCBsd6RMkjVDRZzb,eleven_turbo_v2"]);
    await caller.leave();
    // One of the voice's is kept for the next call.
    await until(
      () => deepgram.open === 0 && elevenlabs.open === 1,
      "the providers' sockets to close",
      10_000,
    );
    for (const secret of ["ears-key", "mind-key", "voice-key"]) {
      assert(!server.output.includes(secret), secret);
    }
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
  });

  it("tools: schedules a meeting once, and reads its confirmation id back", options, async () => {
    await using deepgram = await ears();
    const meeting = { date: "2099-05-02", time: "10:30", reason: "the sea" };
    await using openai = await startOpenAIEmulator({
      apiKey: "mind-key",
      answer(_user, _n, { messages }) {
        const last = messages.at(-1);
        if (last?.role !== "tool") return { calls: [{ name: "scheduleMeeting", arguments: meeting }] };
        return `It is scheduled as ${JSON.parse(wordsOf(last)).confirmationId}.`;
      },
    });
    await using server = await startServer({
      ...environment,
      DEEPGRAM_API_KEY: "ears-key",
      DEEPGRAM_BASE_URL: deepgram.url,
      OPENAI_API_KEY: "mind-key",
      OPENAI_BASE_URL: openai.url,
    });
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    assertEquals((await dispatch(address, room, "tools")).status, 201);
    await untilSaid(caller, "Hello! I can tell you the weather, or schedule a meeting.");
    await caller.untilQuiet();
    await caller.speak((await loadClip("one")).samples);
    await untilSaid(caller, "It is scheduled as M1001.");

    const asked = openai.requests.at(-1)?.body.messages ?? [];
    assertEquals(asked.map(({ role }) => role), ["system", "assistant", "user", "assistant", "tool"]);
    const results = openai.requests.flatMap(({ body }) =>
      body.messages.filter(({ role }) => role === "tool")
    );
    assertEquals(
      new Set(results.map(({ content }) => content)).size,
      1,
      "the meeting is in the calendar twice",
    );
    await caller.leave();
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
  });

  it(
    "echo: repeats what it heard, with Deepgram's key alone; whose keys are missing is told",
    options,
    async () => {
      await using deepgram = await ears();
      await using server = await startServer({
        ...environment,
        DEEPGRAM_API_KEY: "ears-key",
        DEEPGRAM_BASE_URL: deepgram.url,
      });
      const address = await server.url;
      const room = `room-${crypto.randomUUID()}`;
      await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
      assertEquals((await dispatch(address, room, "echo")).status, 201);
      await until(() => caller.states.some(({ state }) => state === "listening"), "the agent to listen");
      await caller.speak((await loadClip("one")).samples);
      await untilSaid(caller, question);
      await caller.untilSpeech({ sinceMs: 0 });

      const missing =
        'The agent "support" cannot be used: OPENAI_API_KEY is not set; LLM openai/gpt-4o needs it; ' +
        "ELEVENLABS_API_KEY is not set; TTS elevenlabs/eleven_turbo_v2 needs it.";
      await until(() => server.output.includes(`Warning: ${missing}`), "the warning");
      const refused = await dispatch(address, `room-${crypto.randomUUID()}`, "support");
      assertEquals(refused.status, 503);
      assert(
        refused.body.detail.includes("OPENAI_API_KEY is not set; LLM openai/gpt-4o needs it"),
        refused.body.detail,
      );
      await caller.leave();
    },
  );

  it("sales: hands the caller over to a specialist, and back", options, async () => {
    const [wish, price, hours] = ["I want to buy some seats.", "What do they cost?", "When do you open?"];
    await using deepgram = await startDeepgramEmulator({
      apiKey: "ears-key",
      transcripts: [wish, price, hours],
      minEndpointMs: 300,
    });
    const specialist =
      "You are now a sales specialist. Help the customer with pricing and purchasing decisions.";
    const transfer = (name: string) => ({ calls: [{ name, arguments: { reason: "seats" } }] });
    await using openai = await startOpenAIEmulator({
      apiKey: "mind-key",
      answer(user, _n, { messages }) {
        const isSpecialist = messages[0]?.content === specialist;
        if (user === wish) return isSpecialist ? "?" : transfer("transferToSales");
        if (user === price) return isSpecialist ? "They are twenty dollars a month." : "?";
        return isSpecialist ? transfer("transferToFrontDesk") : "We open at nine.";
      },
    });
    await using server = await startServer({
      ...environment,
      DEEPGRAM_API_KEY: "ears-key",
      DEEPGRAM_BASE_URL: deepgram.url,
      OPENAI_API_KEY: "mind-key",
      OPENAI_BASE_URL: openai.url,
    });
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    assertEquals((await dispatch(address, room, "sales")).status, 201);
    await untilSaid(caller, "Welcome to TechCorp. What can I do for you?");
    for (
      const [clip, line] of [
        ["one", "Transfer complete. I'm now your sales specialist."],
        ["two", "They are twenty dollars a month."],
        ["four", "We open at nine."],
      ] as const
    ) {
      await caller.untilQuiet();
      const nowMs = performance.now();
      await caller.speak((await loadClip(clip)).samples);
      await caller.untilSpeech({ sinceMs: nowMs });
      await untilSaid(caller, line);
    }
    const asked = openai.requests.map(({ body }) => body);
    const about = (user: string) =>
      asked.find(({ messages }) => messages.some(({ role, content }) => role === "user" && content === user));
    assertEquals([
      about(price)?.messages[0]?.content,
      about(price)?.tools?.map(({ function: { name } }) => name),
    ], [
      specialist,
      ["transferToFrontDesk"],
    ]);
    const last = asked.at(-1)?.messages.map((message) => `${message.role}: ${wordsOf(message)}`) ?? [];
    assert(last[0]?.startsWith("system: You are the front desk of TechCorp."), last[0]);
    const kept = [wish, price, hours].map((user) => last.filter((line) => line === `user: ${user}`).length);
    assertEquals(kept, [1, 1, 1]);
    assert(last.includes("tool: Transferred to sales: seats"), String(last));
    await caller.leave();
    await until(() => deepgram.open === 0, "the providers' sockets to close", 10_000);
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
  });
});
