/** Sessions over HTTP: a real call through the real process, watched, steered and ended from outside; its report is posted. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { Webhook } from "standardwebhooks";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = () => livekit ?? { url: "", apiKey: "", apiSecret: "" };
const secret = `whsec_${btoa("a secret of thirty-two bytes....")}`;
const keys = { openai: "sk-openai-never-shown", deepgram: "deepgram-never-shown" };
const greeting = "Hello! How can I help you today?";
const question = "How deep is the sea?";
const answer = "It is more than ten kilometers deep in places.";
const story = Array.from({ length: 12 }, (_, i) => `This is part ${i + 1} of the story.`).join(" ");

/** Takes reports, and fails the first try of each. */
function startReceiver() {
  const tries: { readonly body: string; readonly headers: Record<string, string> }[] = [];
  const ids = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const headers = Object.fromEntries(request.headers);
    tries.push({ body: await request.text(), headers });
    const id = headers["webhook-id"] ?? "";
    const known = ids.has(id);
    ids.add(id);
    return new Response(null, { status: known ? 204 : 500 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/reports`,
    tries,
    [Symbol.asyncDispose]: server.shutdown,
  };
}

/** The server with providers of its own, and whoever takes its reports. */
async function startAll() {
  await using stack = new AsyncDisposableStack();
  // A gap that a busy machine makes in the sound is not to cut an utterance in two.
  const ears = stack.use(
    await startDeepgramEmulator({ apiKey: keys.deepgram, minEndpointMs: 300, transcripts: [question] }),
  );
  const model = stack.use(
    await startOpenAIEmulator({ apiKey: keys.openai, answer: () => answer, tokenMs: 20 }),
  );
  const receiver = stack.use(startReceiver());
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
      REPORT_WEBHOOK_URL: receiver.url,
      REPORT_WEBHOOK_SECRET: secret,
      HOST: "127.0.0.1",
    }),
  );
  const address = await server.url;
  const room = `room-${crypto.randomUUID()}`;
  const ask = async (method: string, path: string, body?: unknown, ofRoom = room, more = {}) =>
    await fetch(`${address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await tokenFor(ofRoom)}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...more,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const started = stack.move();
  return { server, receiver, room, ask, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

function tokenFor(room: string): Promise<string> {
  const token = new AccessToken(access().apiKey, access().apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return token.toJwt();
}

/** Reads a stream of events; `stop()` leaves it. */
function readEvents(response: Response) {
  const events: { readonly id: number; readonly type: string; readonly data: Record<string, unknown> }[] = [];
  const stopped = new AbortController();
  let rest = "";
  const sink = new WritableStream<string>({
    write(text) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
        if (!block.startsWith(":")) {
          events.push({ id: Number(field("id")), type: field("event"), data: JSON.parse(field("data")) });
        }
      }
    },
  });
  const done = response.body!.pipeThrough(new TextDecoderStream()).pipeTo(sink, { signal: stopped.signal })
    .catch((error) => {
      if (!stopped.signal.aborted) throw error;
    });
  return { events, done, stop: () => (stopped.abort(), done) };
}

function untilSaid(caller: Caller, text: string) {
  const said = () =>
    caller.transcripts.some((one) =>
      one.identity === caller.agent()?.identity && one.closed && one.text === text
    );
  return until(said, `the agent to say ${JSON.stringify(text)}`, 15_000);
}

describe("a session over HTTP", () => {
  it(
    "is listed, reported, watched, told to speak, cut off and ended; its report is posted",
    options,
    async () => {
      await using all = await startAll();
      const { server, receiver, room, ask } = all;
      await using caller = await joinCaller({ ...access(), roomName: room });
      const dispatched = await ask("POST", "/dispatch", { room });
      const { sessionId } = await dispatched.json();
      const path = `/sessions/${sessionId}`;
      const report = async () => await (await ask("GET", path)).json();
      await untilSaid(caller, greeting);

      const { sessions } = await (await ask("GET", "/sessions")).json();
      assertEquals(
        sessions.map((one: Record<string, unknown>) => [one.sessionId, one.agent, one.participant]),
        [
          [sessionId, "assistant", "caller"],
        ],
      );
      assertEquals((await ask("GET", path, undefined, "another-room")).status, 404);
      assertEquals((await ask("DELETE", path, undefined, "another-room")).status, 404);

      const first = readEvents(await ask("GET", `${path}/events`));
      await until(
        () => first.events.some(({ type }) => type === "agent-speech-committed"),
        "the greeting's event",
      );
      await first.stop();
      const lastId = first.events.at(-1)!.id;
      assertEquals(first.events.map(({ id }) => id), Array.from({ length: lastId }, (_, i) => i + 1));

      await caller.untilQuiet();
      await caller.speak((await loadClip("one")).samples);
      await untilSaid(caller, answer);
      const resumed = readEvents(
        await ask("GET", `${path}/events`, undefined, room, { "last-event-id": String(lastId) }),
      );
      await until(() => resumed.events.some(({ type }) => type === "turn-ended"), "what was missed");
      assertEquals(resumed.events[0]?.id, lastId + 1);

      const running = await report();
      assertEquals(running.turns.map(({ text }: { text: string }) => text), [question]);
      assert(running.turns[0].latency.totalMs > 0);
      assertEquals(running.transcript.map(({ text }: { text: string }) => text), [
        greeting,
        question,
        answer,
      ]);

      await caller.untilQuiet();
      const words = "One more thing.";
      const said = await ask("POST", `${path}/say`, { text: words });
      assertEquals(said.status, 202);
      const { replyId } = await said.json();
      await untilSaid(caller, words);
      await caller.untilQuiet();
      assert(
        resumed.events.some(({ type, data }) =>
          type === "agent-speech-committed" && data.replyId === replyId
        ),
      );

      const sinceMs = performance.now();
      assertEquals((await ask("POST", `${path}/say`, { text: story })).status, 202);
      await caller.untilSpeech({ sinceMs });
      assertEquals((await ask("POST", `${path}/interrupt`)).status, 204);
      const quietMs = await caller.untilQuiet({ quietMs: 500 });
      assert(quietMs - sinceMs < 10_000, `spoke on for ${quietMs - sinceMs} ms`);

      assertEquals((await ask("DELETE", path)).status, 202);
      await until(() => caller.agent() === undefined, "the agent to leave");
      await resumed.done;
      assertEquals(resumed.events.at(-1)?.data.reason, "deleted");
      assertEquals((await ask("DELETE", path)).status, 204);
      assertEquals((await ask("POST", `${path}/say`, { text: words })).status, 409);

      const over = await report();
      assertEquals([over.state, over.closeReason, over.interruptions], ["closed", "deleted", 1]);
      const used = (stage: string) => over.usage.find((one: { stage: string }) => one.stage === stage);
      assert(used("stt").audioMs > 3_000, JSON.stringify(over.usage));
      assert(
        used("llm").requests >= 1 && used("tts").characters > greeting.length,
        JSON.stringify(over.usage),
      );

      await until(() => receiver.tries.length === 2, "the report, tried again", 10_000);
      const [failed, taken] = receiver.tries;
      assertEquals(failed?.headers["webhook-id"], taken?.headers["webhook-id"]);
      assertEquals(new Webhook(secret).verify(taken?.body ?? "", taken?.headers ?? {}), {
        type: "session.ended",
        timestamp: over.endedAt,
        data: over,
      });
      for (const hidden of [access().apiSecret, secret, ...Object.values(keys)]) {
        assert(!server.output.includes(hidden), `the log holds ${hidden}`);
        assert(!receiver.tries.some(({ body }) => body.includes(hidden)), `the report holds ${hidden}`);
      }
    },
  );

  it("is reported when the server shuts down, before the process ends", options, async () => {
    await using all = await startAll();
    const { server, receiver, room, ask } = all;
    await using caller = await joinCaller({ ...access(), roomName: room });
    assertEquals((await ask("POST", "/dispatch", { room })).status, 201);
    await untilSaid(caller, greeting);
    server.kill("SIGTERM");
    assertEquals(await server.exit, 0);
    assertEquals(receiver.tries.length, 2);
    const { data } = JSON.parse(receiver.tries[1]!.body);
    assertEquals([data.closeReason, data.state], ["shutdown", "closed"]);
  });
});
