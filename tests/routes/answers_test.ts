/** What is answered is what the API's description says: each answer is read by the schema that the description is made of. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { describedRoutes } from "../../routes/openapi.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { setUpPage } from "../fakes/page_app.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

interface Schema {
  parse(value: unknown): unknown;
}

/** An app with a session "session_1" in the room "r", and a token for that room. */
async function setUp() {
  const clock = fakeClock();
  const archive = createArchive({ ttlMs: 0, clock, log });
  const { app, started } = setUpPage({ livekit, archive });
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity: "backend", ttl: 60 });
  token.addGrant({ roomAdmin: true, room: "r" });
  const authorization = `Bearer ${await token.toJwt()}`;
  const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`http://localhost${path}`, {
      method,
      headers: {
        authorization,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  await send("POST", "/dispatch", { room: "r" });
  const [fake] = started;
  assert(fake);
  const facts = { sessionId: "session_1", room: "r", roomSid: "RM_1", agent: "assistant", metadata: "" };
  archive.follow(fake.session, facts);
  fake.emit({
    type: "usage",
    usage: { stage: "tts", provider: "p", model: "m", characters: 1, audioMs: 2 },
    atMs: 3,
  });
  await clock.settle();
  return { app, send };
}

const own = { origin: "http://localhost" };

describe("what is answered", () => {
  const cases: [
    method: string,
    path: string,
    status: number,
    body?: unknown,
    headers?: Record<string, string>,
  ][] = [
    ["GET", "/healthz", 200],
    ["GET", "/readyz", 200],
    ["GET", "/openapi.json", 200],
    ["POST", "/dispatch", 200, { room: "r" }],
    ["POST", "/dispatch", 409, { room: "r", metadata: "other" }],
    ["POST", "/dispatch", 404, { room: "r", agent: "nobody" }],
    ["POST", "/dispatch", 403, { room: "other" }],
    ["POST", "/dispatch", 400, { room: 1 }],
    ["POST", "/dispatch", 415],
    ["POST", "/dispatch", 401, { room: "r" }, { authorization: "" }],
    ["POST", "/token", 200, { room: "r" }],
    ["POST", "/token", 403, { room: "other" }],
    ["GET", "/sessions", 200],
    ["GET", "/sessions/session_1", 200],
    ["GET", "/sessions/session_2", 404],
    ["POST", "/sessions/session_1/say", 202, { text: "Hello." }],
    ["POST", "/sessions/session_1/say", 400, {}],
    ["POST", "/sessions/session_1/interrupt", 204],
    ["DELETE", "/sessions/session_1", 202],
    ["GET", "/playground/config", 200],
    ["POST", "/playground/dispatch", 201, { room: "playground-1", identity: "caller" }, own],
    ["POST", "/playground/dispatch", 403, { room: "playground-1", identity: "caller" }],
    ["POST", "/playground/interrupt", 404, { session: "session_1" }, own],
    ["GET", "/room", 426, undefined, own],
  ];
  for (const [method, path, status, body, headers] of cases) {
    it(`to ${method} ${path} with ${status} is as described`, async () => {
      const { app, send } = await setUp();
      const response = await send(method, path, body, headers);
      assertEquals(response.status, status);
      const route = describedRoutes(app.routes).find((route) =>
        route.method === method && new RegExp(`^${route.path.replace(":id", "[^/]+")}$`).test(path)
      );
      assert(route && typeof route.described === "object");
      const answers: Record<string, unknown> = { ...route.described.responses };
      const described = answers[status] as { readonly content?: Record<string, { readonly schema: Schema }> };
      assert(described, `${status} is not described`);
      const text = await response.text();
      const [type = ""] = (response.headers.get("content-type") ?? "").split(";");
      assertEquals(Object.keys(described.content ?? {}), text ? [type] : []);
      if (!text) return;
      const value = JSON.parse(text);
      assertEquals(described.content?.[type]?.schema.parse(value), value, "something is not described");
    });
  }
});
