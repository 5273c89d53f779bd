import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";
import { hashOf, webhookBody, webhookToken } from "../fakes/webhooks.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

function setUp({ keys = true } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const accepted: string[] = [];
  const dispatcher = createDispatcher({
    agents: { assistant: defineAgent({ instructions: "Be brief." }) },
    defaultAgent: "assistant",
    start: fakeSessions().start,
    maxSessions: 1,
    clock,
    log,
  });
  const webhooks = { accept: (body: string) => void accepted.push(body) };
  const app = createApp({ dispatcher, ...(keys && { livekit, webhooks }), clock, log });
  const post = (body: BodyInit, authorization: string | undefined) =>
    app.request("/webhooks/livekit", {
      method: "POST",
      body,
      headers: {
        "content-type": "application/webhook+json",
        ...(authorization !== undefined && { authorization }),
      },
    });
  return { clock, accepted, dispatcher, post };
}

const body = webhookBody("room_started", { room: { name: "r", sid: "RM_1" } });

describe("POST /webhooks/livekit", () => {
  for (const scheme of ["", "Bearer ", "bearer  "]) {
    it(`answers 200 with nothing, and hands on the exact body afterwards, by a token after "${scheme}"`, async () => {
      const { post, accepted, clock } = setUp();
      const response = await post(body, scheme + await webhookToken(body, livekit));
      assertEquals([response.status, await response.text(), accepted], [200, "", []]);
      await clock.advance(0);
      assertEquals(accepted, [body]);
    });
  }

  it("answers 200 while the server drains, and to what is not JSON", async () => {
    const { post, dispatcher, accepted, clock } = setUp();
    await dispatcher.drain({ budgetMs: 0 });
    for (const text of [body, "{", ""]) {
      assertEquals((await post(text, await webhookToken(text, livekit))).status, 200);
    }
    await clock.advance(0);
    assertEquals(accepted, [body, "{", ""]);
  });

  const other = { ...livekit, apiSecret: "another-secret-of-32-characters!!" };
  const forged: [string, (() => string | Promise<string>) | undefined][] = [
    ["no token", undefined],
    ["an empty one", () => ""],
    ["no token at all", () => "x"],
    ["another secret", () => webhookToken(body, other)],
    ["another key", () => webhookToken(body, { ...livekit, apiKey: "other" })],
    ["another algorithm", () => webhookToken(body, livekit, { algorithm: "HS512" })],
    ["expired", () => webhookToken(body, livekit, { exp: -70 })],
    ["without an end", () => webhookToken(body, livekit, { exp: NaN })],
    ["not valid yet", () => webhookToken(body, livekit, { nbf: 90 })],
    ["the hash of another body", () => webhookToken(`${body} `, livekit)],
    ["a hash cut short", () => webhookToken(body, livekit, { sha256: hashOf(body).slice(0, 40) })],
    ["an empty hash", () => webhookToken(body, livekit, { sha256: "" })],
    ["no hash", () => webhookToken(body, livekit, { sha256: null })],
    ["a hash that is none", () => webhookToken(body, livekit, { sha256: { length: 32 } })],
    ["a changed payload", async () => {
      const [head, , signature] = (await webhookToken(`${body} `, livekit)).split(".");
      const [, payload] = (await webhookToken(body, livekit)).split(".");
      return [head, payload, signature].join(".");
    }],
  ];
  for (const [what, token] of forged) {
    it(`is 401 when it is forged: ${what}`, async () => {
      const { post, accepted, clock } = setUp();
      const response = await post(body, await token?.());
      assertEquals([response.status, response.headers.get("content-type")], [
        401,
        "application/problem+json",
      ]);
      assertEquals(response.headers.get("www-authenticate"), 'Bearer realm="repartee"');
      assertMatch((await response.json()).detail, /^Expected a webhook of LiveKit/);
      await clock.advance(0);
      assertEquals(accepted, []);
    });
  }

  it("is 429 when forgeries come too fast, while every genuine one is taken from the same address", async () => {
    const { post, accepted, clock } = setUp();
    const statuses = { forged: [] as number[], genuine: [] as number[] };
    let wait: string | null = null;
    for (let i = 0; i < 300; i++) {
      const genuine = `${body}${" ".repeat(i)}`;
      const forged = await post(body, "x");
      wait = forged.headers.get("retry-after");
      statuses.forged.push(forged.status);
      statuses.genuine.push((await post(genuine, await webhookToken(genuine, livekit))).status);
    }
    assertEquals(statuses.forged, [...Array(100).fill(401), ...Array(200).fill(429)]);
    assertEquals([statuses.genuine, wait], [Array(300).fill(200), "1"]);
    await clock.advance(1_000);
    assertEquals([accepted.length, (await post(body, "x")).status], [300, 401]);
  });

  it("takes 1 MiB, and is 413 above, told by its length or counted as it comes", async () => {
    const { post, accepted, clock } = setUp();
    const limit = 1024 * 1024;
    const padded = (bytes: number) => body + " ".repeat(bytes - body.length);
    for (const [bytes, status] of [[limit, 200], [limit + 1, 413]] as const) {
      const text = padded(bytes);
      const token = await webhookToken(text, livekit);
      assertEquals((await post(text, token)).status, status);
      const pieces = ReadableStream.from([text.slice(0, 1_000), text.slice(1_000)]).pipeThrough(
        new TextEncoderStream(),
      );
      assertEquals((await post(pieces, token)).status, status);
    }
    await clock.advance(0);
    assertEquals(accepted.map(({ length }) => length), [limit, limit]);
  });

  it("is 503 in words without LiveKit's keys", async () => {
    const response = await setUp({ keys: false }).post(body, await webhookToken(body, livekit));
    assertEquals(response.status, 503);
    assertMatch((await response.json()).detail, /has no LIVEKIT_URL/);
  });
});
