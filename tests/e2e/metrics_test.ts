/** What the real server counts of a real call, on a port of its own. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const answer = "It is more than ten kilometers deep in places.";
const room = `room-${crypto.randomUUID()}`;
const metadata = "a-caller-who-must-not-be-named";

describe("METRICS_PORT", () => {
  it(
    "tells of a call: how it ran, where its time went and what it used; and names nobody",
    options,
    async () => {
      assert(livekit);
      await using ears = await startDeepgramEmulator({ apiKey: "dg", minEndpointMs: 300 });
      await using model = await startOpenAIEmulator({ apiKey: "sk", answer: () => answer });
      const metricsPort = freePort();
      const { url, apiKey, apiSecret } = livekit;
      await using server = await startServer({
        LIVEKIT_URL: url,
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
        OPENAI_API_KEY: "sk",
        OPENAI_BASE_URL: model.url,
        DEEPGRAM_API_KEY: "dg",
        DEEPGRAM_BASE_URL: ears.url,
        HOST: "127.0.0.1",
        METRICS_PORT: String(metricsPort),
        LOG_LEVEL: "debug",
      });
      const address = await server.url;
      assertEquals((await fetch(`${address}/metrics`).then(drop)).status, 404);
      const scrape = async () => {
        const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
        assertEquals(response.status, 200);
        return await response.text();
      };
      /** The value of a sample, without the one of a label that is left out; 0 when there is none. */
      const value = (text: string, sample: string) =>
        Number(text.split("\n").find((line) => line.startsWith(`${sample} `))?.split(" ").at(-1) ?? 0);

      const dispatch = async (body: Record<string, string>) => {
        const response = await fetch(`${address}/dispatch`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${await tokenFor(livekit, room)}`,
            "content-type": "application/json",
            "x-request-id": "request-of-the-test",
          },
          body: JSON.stringify({ room, ...body }),
        });
        assertEquals(response.headers.get("x-request-id"), "request-of-the-test");
        return (await drop(response)).status;
      };
      {
        await using caller = await joinCaller({ ...livekit, roomName: room });
        assertEquals(await dispatch({ agent: "nobody" }), 404);
        assert([201, 202].includes(await dispatch({ agent: "assistant", metadata })));
        await until(() => caller.states.at(-1)?.state === "listening", "the greeting to end", 15_000);
        const clip = await loadClip("one");
        await caller.speak(clip.samples);
        await until(
          () => caller.transcripts.find(({ closed, text }) => closed && text === answer),
          "the answer",
          20_000,
        );
        await until(() => caller.states.at(-1)?.state === "listening", "the answer to end", 15_000);
        assertEquals(value(await scrape(), 'repartee_sessions{agent="assistant"}'), 1);
      }
      const ended = await until(
        () => server.log.find(({ msg }) => msg === "session ended"),
        "the session to end",
        20_000,
      );

      const text = await scrape();
      for (
        const [sample, expected] of [
          ['repartee_sessions{agent="assistant"}', 0],
          [`repartee_sessions_ended_total{agent="assistant",reason="${ended.reason}"}`, 1],
          ['repartee_sessions_started_total{agent="assistant"}', 1],
          ['repartee_session_duration_seconds_count{agent="assistant"}', 1],
          ['repartee_dispatches_refused_total{reason="unknown-agent",limit="none"}', 1],
          ['repartee_turns_total{agent="assistant",outcome="answered"}', 1],
          ['repartee_http_requests_total{method="POST",route="/dispatch",status="404"}', 1],
        ] as const
      ) {
        assertEquals([sample, value(text, sample)], [sample, expected]);
      }
      const latency = (stage: string) => `{agent="assistant",stage="${stage}"}`;
      // Of the greeting and the answer, which alone had a user who spoke before.
      assertEquals(value(text, `repartee_reply_latency_seconds_count${latency("endpointing")}`), 1);
      assertEquals(value(text, `repartee_reply_latency_seconds_count${latency("total")}`), 2);
      for (
        const sample of [
          `repartee_reply_latency_seconds_sum${latency("endpointing")}`,
          'repartee_stt_audio_seconds_total{provider="deepgram",model="nova-3"}',
          'repartee_tts_characters_total{provider="deepgram",model="aura-2-thalia-en"}',
          'repartee_tts_audio_seconds_total{provider="deepgram",model="aura-2-thalia-en"}',
          'repartee_llm_tokens_total{provider="openai",model="gpt-4o-mini",direction="output"}',
          'repartee_event_loop_lag_seconds{quantile="1"}',
          'repartee_memory_bytes{kind="rss"}',
        ]
      ) {
        assert(value(text, sample) > 0, `${sample} is 0:\n${text}`);
      }
      for (
        const name of [
          room,
          metadata,
          "caller",
          String(server.log.find((line) => line.sessionId)?.sessionId),
        ]
      ) assert(!text.includes(name), `${name} is in it`);
      const line = server.log.find(({ requestId, status }) =>
        requestId === "request-of-the-test" && status === 404
      );
      assertEquals([line?.method, line?.route, line?.msg], ["POST", "/dispatch", "request"]);
    },
  );

  it("says why the server cannot start where the port is taken", async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using server = await startServer({
      HOST: "127.0.0.1",
      METRICS_PORT: String(taken.addr.port),
    });
    assertEquals(await server.exit, 1);
    assertMatch(
      server.output,
      new RegExp(`cannot listen on HOST 127\\.0\\.0\\.1, METRICS_PORT ${taken.addr.port}: `),
    );
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The answer, its body thrown away. */
async function drop(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}

function tokenFor(
  { apiKey, apiSecret }: { readonly apiKey: string; readonly apiSecret: string },
  room: string,
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return token.toJwt();
}
