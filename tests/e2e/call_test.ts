/** Whole calls: a real livekit-server, the real process, a caller who speaks recorded speech; only the providers are emulated. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { type DeepgramEmulatorOptions, startDeepgramEmulator } from "../emulators/deepgram.ts";
import { type OpenAIEmulatorOptions, startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { type Caller, joinCaller, type ReadTranscript, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { type ServerProcess, startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = () => livekit ?? { url: "", apiKey: "", apiSecret: "" };
const greeting = "Hello! How can I help you today?";
const question = "How deep is the sea?";
const answer = "It is more than ten kilometers deep in places.";
const request = "Tell me a long story.";
const story = Array.from({ length: 12 }, (_, i) => `This is part ${i + 1} of the story.`).join(" ");
const thanks = "That is enough.";
const farewell = "You are welcome, and goodbye.";
const answers: Record<string, string> = { [question]: answer, [request]: story, [thanks]: farewell };
const keys = { openai: "sk-openai-never-shown", deepgram: "deepgram-never-shown" };

/** The server with providers of its own; `given` says how these behave. */
async function startAll(
  { deepgram = {}, openai = {}, logLevel = "info" }: {
    readonly deepgram?: DeepgramEmulatorOptions;
    readonly openai?: OpenAIEmulatorOptions;
    readonly logLevel?: string;
  },
) {
  await using stack = new AsyncDisposableStack();
  // A gap that a busy machine makes in the sound is not to cut an utterance in two.
  const minEndpointMs = 300;
  const ears = stack.use(await startDeepgramEmulator({ apiKey: keys.deepgram, minEndpointMs, ...deepgram }));
  const model = stack.use(
    await startOpenAIEmulator({
      apiKey: keys.openai,
      answer: (user) => answers[user] ?? "?",
      tokenMs: 40,
      ...openai,
    }),
  );
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
      LOG_LEVEL: logLevel,
    }),
  );
  const address = await server.url;
  const ready = await fetch(`${address}/readyz`);
  assertEquals([ready.status, await ready.json()], [200, { status: "ready" }]);
  const started = stack.move();
  return { ears, model, server, address, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

const newRoomName = () => `room-${crypto.randomUUID()}`;
const call = (roomName: string) => joinCaller({ ...access(), roomName });

/** A token for dispatches to `room`. */
function tokenFor(room: string, secret = access().apiSecret): Promise<string> {
  const token = new AccessToken(access().apiKey, secret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return token.toJwt();
}

async function dispatch(
  address: string,
  body: { readonly room: string; readonly metadata?: string },
  given?: string,
) {
  const token = given ?? await tokenFor(body.room);
  const response = await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** The caller begins to speak a recording; when its voice begins and ends, and when all of it was sent. */
async function speak(caller: Caller, name: "one" | "two" | "four" = "one") {
  const clip = await loadClip(name);
  const nowMs = performance.now();
  return { fromMs: nowMs + clip.startMs, untilMs: nowMs + clip.endMs, sent: caller.speak(clip.samples) };
}

const said = (caller: Caller, by: string) => caller.transcripts.filter(({ identity }) => identity === by);
const agentSaid = (caller: Caller) => said(caller, caller.agent()?.identity ?? "");

/** Waits for the agent to have said `text`, the transcript's stream being closed. */
function untilSaid(caller: Caller, text: string): Promise<ReadTranscript> {
  const find = () => agentSaid(caller).find((one) => one.closed && one.text === text);
  return until(find, `the agent to say ${JSON.stringify(text)}`, 15_000);
}

const untilState = (caller: Caller, state: string) =>
  until(() => caller.states.at(-1)?.state === state, `the state ${state}`, 10_000);

/** No secret is in what the server wrote. */
function assertKeepsSecrets(server: ServerProcess, ...more: string[]) {
  for (const secret of [access().apiSecret, ...Object.values(keys), ...more]) {
    assert(!server.output.includes(secret), `the log holds ${secret}`);
  }
}

describe("a call", () => {
  it("is greeted, answered, interrupted, and ends when the caller leaves", options, async () => {
    await using all = await startAll({ deepgram: { transcripts: [question, request, thanks] } });
    const { address, server, model } = all;
    const room = newRoomName();
    await using caller = await call(room);

    const dispatchedMs = performance.now();
    const created = await dispatch(address, { room, metadata: "{}" });
    assertEquals(created.status, 201);
    const { sessionId } = created.body;
    assertEquals(created.body, { sessionId, room, agent: "assistant", state: "connected" });
    assertEquals(await dispatch(address, { room, metadata: "{}" }), { status: 200, body: created.body });
    assertEquals((await dispatch(address, { room, metadata: "other" })).status, 409);
    assertEquals((await dispatch(address, { room }, await tokenFor(room, "a".repeat(40)))).status, 401);

    const agent = await until(() => caller.agent(), "the agent");
    await until(() => caller.states.some(({ state }) => state === "listening"), "the agent to listen");
    const listeningMs = caller.states.find(({ state }) => state === "listening")!.atMs - dispatchedMs;
    assert(listeningMs < 2_000, `listening after ${listeningMs} ms`);

    await caller.untilSpeech({ sinceMs: dispatchedMs });
    const greeted = await untilSaid(caller, greeting);
    const [agentTrack] = agent.trackPublications.keys();
    const ofAgent = (segmentId: string) => ({
      "lk.segment_id": segmentId,
      "lk.transcription_final": "false",
      "lk.transcribed_track_id": agentTrack,
    });
    assertEquals(greeted.attributes, ofAgent(greeted.attributes["lk.segment_id"] ?? "none"));
    assertEquals(caller.closings.at(-1)?.["lk.transcription_final"], "true");
    await untilState(caller, "listening");
    await caller.untilQuiet();

    const states = caller.states.length;
    const first = await speak(caller);
    const heardMs = await caller.untilSpeech({ sinceMs: first.untilMs });
    await first.sent;
    assert(heardMs - first.untilMs < 3_000, `answered after ${heardMs - first.untilMs} ms`);
    const answered = await untilSaid(caller, answer);
    assertEquals(answered.attributes, ofAgent(answered.attributes["lk.segment_id"] ?? "none"));
    await untilState(caller, "listening");
    assertEquals(caller.states.slice(states).map(({ state }) => state), [
      "thinking",
      "speaking",
      "listening",
    ]);
    const mine = said(caller, "caller");
    assert(
      mine.length > 1 && mine.every(({ text }) => text && question.startsWith(text.slice(0, -1))),
      String(mine),
    );
    assertEquals(mine.at(-1)?.text, question);
    const [callerTrack] = caller.room.localParticipant!.trackPublications.keys();
    assertEquals(
      mine.map(({ attributes }) => attributes),
      mine.map((_, i) => ({
        "lk.segment_id": mine[0]?.attributes["lk.segment_id"],
        "lk.transcription_final": String(i === mine.length - 1),
        "lk.transcribed_track_id": callerTrack,
      })),
    );

    await caller.untilQuiet();
    const second = await speak(caller, "two");
    await caller.untilSpeech({ sinceMs: second.untilMs });
    await second.sent;
    await until(() => (agentSaid(caller).at(-1)?.text.length ?? 0) > 40, "some of the story");
    const third = await speak(caller, "four");
    const silentMs = await caller.untilQuiet({ quietMs: 300 });
    assert(
      silentMs - third.fromMs < 2_000,
      `silent ${silentMs - third.fromMs} ms after the interruption began`,
    );
    assert(silentMs > third.fromMs, "the story was over before it was interrupted");
    await third.sent;
    await untilSaid(caller, farewell);
    const cut = agentSaid(caller).at(-2);
    assert(cut?.closed && story.startsWith(cut.text) && cut.text.length < story.length, cut?.text);
    const asked = (words: string) =>
      model.requests.findLast(({ body }) => body.messages.at(-1)?.content === words);
    assert(asked(request)?.signal.aborted, "the request for the story went on");
    const messages = asked(thanks)?.body.messages ?? [];
    assertEquals(messages.map(({ role }) => role), [
      "system",
      "assistant",
      "user",
      "assistant",
      "user",
      "assistant",
      "user",
    ]);
    const heard = messages.at(-2)?.content ?? "nothing";
    assertEquals(heard, cut.text, "what clients were shown is what is kept");

    await caller.untilQuiet();
    await caller.leave();
    const ended = await until(
      () => server.log.find(({ msg }) => msg === "session ended"),
      "the session's end",
      10_000,
    );
    assertEquals(ended.sessionId, sessionId);
    // livekit-server closes a room without callers just when the agent would stop waiting for theirs.
    assert(ended.reason === "participant-left" || ended.reason === "room-deleted", `${ended.reason}`);
    await until(() => all.ears.open === 0, "the providers' sockets to close");
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
    assertKeepsSecrets(server);
    for (const words of [question, answer, request, story.slice(0, 20), thanks, farewell]) {
      assert(!server.output.includes(words), `the log holds what was said: ${words}`);
    }
  });

  it("goes on when the recognizer drops and when the model fails", options, async () => {
    /** The recognizer's first connection breaks when it has heard this much. */
    const afterMs = 6_000;
    let failing = false;
    await using all = await startAll({
      deepgram: {
        transcripts: [question, request, thanks],
        fault: (path, n) =>
          path === "/v1/listen" && n === 0 ? { type: "close", code: 1011, afterMs } : undefined,
      },
      openai: { fault: () => failing ? { type: "status", status: 500 } : undefined },
    });
    const { ears, address } = all;
    const room = newRoomName();
    await using caller = await call(room);
    assertEquals((await dispatch(address, { room })).status, 201);
    await untilSaid(caller, greeting);

    const listening = () => ears.connections.filter(({ path }) => path === "/v1/listen");
    const heardMs = () => (listening()[0]?.audioBytes ?? 0) / 32;
    await until(() => heardMs() > afterMs - 1_200, "the moment to speak", 10_000);
    const first = await speak(caller);
    await first.sent;
    await untilSaid(caller, answer);
    assertEquals(listening().length, 2);
    assert(performance.now() > first.untilMs);

    await caller.untilQuiet();
    failing = true;
    const second = await speak(caller, "two");
    await second.sent;
    await caller.untilSpeech({ sinceMs: second.untilMs });
    await untilSaid(caller, "Sorry, something went wrong on my side. Could you say that again?");
    failing = false;
    await caller.untilQuiet();
    await (await speak(caller, "four")).sent;
    await untilSaid(caller, farewell);
  });

  it("ends in order on SIGTERM, and no secret is ever in the log", options, async () => {
    await using all = await startAll({ deepgram: { transcripts: [question] }, logLevel: "debug" });
    const { address, server } = all;
    const room = newRoomName();
    await using caller = await call(room);
    const token = await tokenFor(room);
    assertEquals((await dispatch(address, { room }, token)).status, 201);
    await untilSaid(caller, greeting);
    await caller.untilQuiet();
    await (await speak(caller)).sent;
    await until(() => server.log.some(({ msg }) => msg === "user-speech-committed"), "the turn");
    assert(server.output.includes(question), "at debug the log holds what was said");

    // Leaving takes a while when LiveKit does not answer: long enough to look.
    Deno.kill(livekit!.pid, "SIGSTOP");
    try {
      server.kill("SIGTERM");
      await until(() => server.log.some(({ msg }) => msg === "draining"), "the server to drain");
      assertEquals((await fetch(`${address}/readyz`)).status, 503);
      assertEquals((await dispatch(address, { room: newRoomName() })).status, 503);
    } finally {
      Deno.kill(livekit!.pid, "SIGCONT");
    }
    assertEquals(await server.exit, 0);
    await until(() => caller.agent() === undefined, "the agent to leave");
    const ended = server.log.find(({ msg }) => msg === "session ended");
    assertEquals(ended?.reason, "shutdown");
    assertKeepsSecrets(server, token);
  });
});
