/** Several people and one agent: a real livekit-server, the real process, callers who speak recorded speech, emulated providers. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The callers' native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = () => livekit ?? { url: "", apiKey: "", apiSecret: "" };
const greeting = "Hello everybody! How can I help?";
const lines = ["Two coffees for us.", "Make that three.", "What did I order?", "And I am back."];
const replies: Record<string, string> = {
  "Two coffees for us.": "Two coffees.",
  "ben: Make that three.": "Three coffees, Ben.",
  "ben: What did I order?": "Three coffees, I think.",
  "ben: And I am back.": "Welcome back.",
};

async function token(room: string): Promise<string> {
  const token = new AccessToken(access().apiKey, access().apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return `Bearer ${await token.toJwt()}`;
}

const untilSaid = (caller: Caller, text: string) =>
  until(
    () =>
      caller.transcripts.some((one) =>
        one.identity === caller.agent()?.identity && one.closed && one.text === text
      ),
    `the agent to say ${JSON.stringify(text)}`,
    15_000,
  );

describe("several people and an agent", () => {
  it(
    "are heard and known by name; one leaves, another loads the page again, the last ends the call",
    options,
    async () => {
      await using ears = await startDeepgramEmulator({
        apiKey: "ears-key",
        transcripts: lines,
        minEndpointMs: 300,
      });
      await using model = await startOpenAIEmulator({
        apiKey: "mind-key",
        answer: (user) => replies[user] ?? `What is ${user}?`,
      });
      const { url, apiKey, apiSecret } = access();
      await using server = await startServer({
        LIVEKIT_URL: url,
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
        HOST: "127.0.0.1",
        DEEPGRAM_API_KEY: "ears-key",
        DEEPGRAM_BASE_URL: ears.url,
        OPENAI_API_KEY: "mind-key",
        OPENAI_BASE_URL: model.url,
      });
      const address = await server.url;
      const room = `room-${crypto.randomUUID()}`;
      const call = (identity: string) => joinCaller({ ...access(), roomName: room, identity });
      const authorization = await token(room);
      const ask = async (path: string) =>
        await (await fetch(`${address}${path}`, { headers: { authorization } })).json();
      const clip = (await loadClip("one")).samples;
      /** Says the next line, and waits for the answer. */
      const say = async (caller: Caller, answer: string) => {
        await caller.untilQuiet();
        await caller.speak(clip);
        await untilSaid(caller, answer);
      };

      await using anna = await call("anna");
      await using ben = await call("ben");
      const created = await fetch(`${address}/dispatch`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: JSON.stringify({ room, agent: "meeting" }),
      });
      assertEquals(created.status, 201);
      const { sessionId } = await created.json();
      await untilSaid(anna, greeting);
      await untilSaid(ben, greeting);
      assertEquals(
        ears.connections.filter(({ path }) => path === "/v1/listen").length,
        0,
        "nobody has spoken",
      );

      await say(anna, "Two coffees.");
      await say(ben, "Three coffees, Ben.");
      const trackOf = ({ room }: Caller) => [...room.localParticipant!.trackPublications.keys()][0];
      const finals = anna.transcripts.filter(({ attributes, identity }) =>
        attributes["lk.transcription_final"] === "true" && identity !== anna.agent()?.identity
      );
      assertEquals(
        finals.map((
          { identity, text, attributes },
        ) => [identity, text, attributes["lk.transcribed_track_id"]]),
        [["anna", lines[0], trackOf(anna)], ["ben", lines[1], trackOf(ben)]],
      );

      await anna.leave();
      await until(
        () => server.log.some(({ msg }) => msg === "user-left"),
        "Anna's leave to be noticed",
        10_000,
      );
      await say(ben, "Three coffees, I think.");
      await using again = await call("ben"); // while the page before is still there
      await until(() => again.heard.length > 0, "the agent's audio");
      await say(again, "Welcome back.");

      const { transcript } = await ask(`/sessions/${sessionId}`);
      const said = transcript.map((
        { speaker, role, text }: Record<string, unknown> & { speaker?: { identity: string } },
      ) => `${speaker?.identity ?? role}: ${text}`);
      assertEquals(said, [
        `assistant: ${greeting}`,
        "anna: Two coffees for us.",
        "assistant: Two coffees.",
        "ben: Make that three.",
        "assistant: Three coffees, Ben.",
        "ben: What did I order?",
        "assistant: Three coffees, I think.",
        "ben: And I am back.",
        "assistant: Welcome back.",
      ]);
      const [last] = model.requests.slice(-1);
      assertEquals(
        last?.body.messages.filter(({ role }) => role === "user").map(({ content }) => content),
        [
          "anna: Two coffees for us.",
          "ben: Make that three.",
          "ben: What did I order?",
          "ben: And I am back.",
        ],
      );

      await again.leave();
      await ben.leave();
      const ended = await until(
        () => server.log.find(({ msg }) => msg === "session ended"),
        "the session's end",
        15_000,
      );
      assert(ended.reason === "participant-left" || ended.reason === "room-deleted", `${ended.reason}`);
      await until(() => ears.open === 0, "the providers' sockets to close");
      assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
    },
  );
});
