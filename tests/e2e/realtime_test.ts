/** agents/realtime as an operator runs it: a real livekit-server, the real process, a model that hears and speaks, emulated. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startSpeechEmulator } from "../emulators/openai_realtime_speech.ts";
import { loadClip } from "../fixtures/speech.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
afterAll(() => livekit?.[Symbol.asyncDispose]());
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};

describe("agents/realtime in LiveKit", () => {
  it("greets, hears and answers, with transcripts of both, by OpenAI's key alone", options, async () => {
    const room = `room-${crypto.randomUUID()}`;
    await using openai = await startSpeechEmulator({
      apiKey: "mind-key",
      transcripts: ["What time is it?"],
      answer: (_, n) => n === 0 ? { text: "Hello! How can I help?" } : { text: "It is noon." },
    });
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    await using server = await startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      HOST: "127.0.0.1",
      OPENAI_API_KEY: "mind-key",
      OPENAI_BASE_URL: openai.url,
    });
    const operator = new AccessToken(apiKey, apiSecret, { identity: "operator" });
    operator.addGrant({ room, roomAdmin: true });
    const response = await fetch(`${await server.url}/dispatch`, {
      method: "POST",
      headers: { authorization: `Bearer ${await operator.toJwt()}`, "content-type": "application/json" },
      body: JSON.stringify({ room, agent: "realtime" }),
    });
    await response.body?.cancel();
    assertEquals(response.status, 201);

    const shown = (words: string) => () =>
      caller.transcripts.some(({ text, closed }) => closed && text.startsWith(words));
    await caller.untilSpeech({ sinceMs: 0 });
    await until(shown("Hello! How can I help?"), "the greeting", 20_000);
    await caller.untilQuiet();
    await caller.speak((await loadClip("one")).samples);
    await until(shown("What time is it?"), "the user's words", 20_000);
    await until(shown("It is noon."), "the answer", 20_000);
    const [connection] = openai.connections;
    assertEquals(openai.connections.length, 1);
    assertEquals(connection?.asked[0]?.tools, ["clock"]);
    assertEquals(connection?.refused, []);
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
  });
});
