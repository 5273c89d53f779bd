import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { SignJWT, UnsecuredJWT } from "jose";
import { AccessToken } from "livekit-server-sdk";
import { createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { ConfigError } from "../../src/errors.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const assistant = defineAgent({ instructions: "Be brief." });

/** An app whose agents arrive at once, unless `arrive` is false. */
function setUp({ keys = true, arrive = true, maxSessions = 10, region = "" } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const { started, start } = fakeSessions();
  const dispatcher = createDispatcher({
    agents: { assistant, broken: assistant },
    defaultAgent: "assistant",
    maxSessions,
    clock,
    log,
    start(request) {
      if (request.agentName === "broken") throw new ConfigError("DEEPGRAM_API_KEY is not set");
      const session = start(request);
      if (arrive) started.at(-1)?.arrive();
      return session;
    },
  });
  const app = createApp({
    dispatcher,
    livekit: keys ? livekit : undefined,
    ...(region && { fly: { region } }),
    clock,
    log,
  });
  const post = (
    body: unknown,
    token: string | undefined,
    headers: Record<string, string> = {},
    address = "1.2.3.4",
  ) =>
    app.request("/dispatch", {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: {
        "content-type": "application/json",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    }, { remoteAddr: { hostname: address } });
  return { app, post, started, dispatcher, clock, log };
}

const adminOf = (room: string) => tokenWith({ roomAdmin: true, room });

function tokenWith(
  grant: { roomAdmin?: boolean; room?: string; roomJoin?: boolean },
  secret = livekit.apiSecret,
) {
  const token = new AccessToken(livekit.apiKey, secret, { identity: "backend", ttl: 60 });
  token.addGrant(grant);
  return token.toJwt();
}

/** A token with the right claims, but for what is said otherwise. */
function handmade({ issuer = livekit.apiKey, exp = 60, nbf = -60, algorithm = "HS256" } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const jwt = new SignJWT({ video: { roomAdmin: true, room: "r" } }).setProtectedHeader({ alg: algorithm })
    .setIssuer(issuer).setNotBefore(now + nbf);
  if (!Number.isNaN(exp)) jwt.setExpirationTime(now + exp);
  return jwt.sign(new TextEncoder().encode(livekit.apiSecret));
}

/** Asserts that `response` is a problem of `status` and returns its detail. */
async function problemOf(response: Response, status: number): Promise<string> {
  assertEquals([response.status, response.headers.get("content-type")], [status, "application/problem+json"]);
  const body = await response.json();
  assertEquals([body.type, body.status, typeof body.title], ["about:blank", status, "string"]);
  return body.detail;
}

describe("POST /dispatch", () => {
  it("is 201 with the session when the agent is in the room, then 200 with the same", async () => {
    const { post, started } = setUp();
    const body = { room: "r", agent: "assistant", metadata: "m", participant: "p" };
    const first = await post(body, await adminOf("r"));
    const answer = await first.json();
    assertEquals([first.status, answer], [201, {
      sessionId: started[0]?.request.id,
      room: "r",
      agent: "assistant",
      state: "connected",
    }]);
    assertEquals(started[0]?.request.metadata, "m");
    const second = await post(body, await adminOf("r"));
    assertEquals([second.status, await second.json()], [200, answer]);
    assertEquals(started.length, 1);
  });

  it("is 202 when the agent takes longer than 2 s", async () => {
    const { post, clock, started } = setUp({ arrive: false });
    const pending = post({ room: "r" }, await adminOf("r"));
    while (started.length === 0) await clock.settle();
    await clock.advance(2_000);
    const response = await pending;
    assertEquals([response.status, (await response.json()).state], [202, "connecting"]);
  });

  it("starts one session for two simultaneous requests", async () => {
    const { post, started } = setUp();
    const token = await adminOf("r");
    const responses = await Promise.all([post({ room: "r" }, token), post({ room: "r" }, token)]);
    const [a, b] = await Promise.all(responses.map((response) => response.json()));
    assertEquals(responses.map(({ status }) => status).toSorted(), [200, 201]);
    assertEquals(a, b);
    assertEquals(started.length, 1);
  });

  it("is 409 with another participant or other metadata", async () => {
    const { post } = setUp();
    await post({ room: "r" }, await adminOf("r"));
    for (const other of [{ participant: "p" }, { metadata: "m" }]) {
      await problemOf(await post({ room: "r", ...other }, await adminOf("r")), 409);
    }
  });

  it("is 404 for an unknown agent and names those there are", async () => {
    const detail = await problemOf(await setUp().post({ room: "r", agent: "x" }, await adminOf("r")), 404);
    assertEquals(detail, 'There is no agent "x"; there is assistant, broken.');
  });

  it("is 503 in words when the agent cannot be set up", async () => {
    const detail = await problemOf(
      await setUp().post({ room: "r", agent: "broken" }, await adminOf("r")),
      503,
    );
    assertEquals(detail, "The agent could not be sent: DEEPGRAM_API_KEY is not set.");
  });

  it("on Fly.io goes on to another machine when there is no place for it, and no further", async () => {
    const { post, dispatcher } = setUp({ maxSessions: 1, region: "fra" });
    const sent = async (room: string, headers: Record<string, string> = {}) => {
      const { status, headers: answered } = await post({ room }, await adminOf(room), headers);
      return [status, answered.get("fly-replay")];
    };
    assertEquals(await sent("a"), [201, null]);
    assertEquals(await sent("a"), [200, null]);
    assertEquals(await sent("b"), [503, "elsewhere=true;fallback=prefer_self"]);
    assertEquals(await sent("b", { "fly-replay-src": "instance=1;region=fra;t=1;state=" }), [503, null]);
    await dispatcher.drain({ budgetMs: 0 });
    assertEquals(await sent("c"), [503, "elsewhere=true;fallback=prefer_self"]);
  });

  it("on Fly.io is for a region, where there is a machine that takes it", async () => {
    const { post } = setUp({ region: "fra" });
    const replayOf = async (region: string, headers: Record<string, string> = {}) =>
      (await post({ room: "a", region }, await adminOf("a"), headers)).headers.get("fly-replay");
    assertEquals(await replayOf("fra"), null);
    assertEquals(await replayOf("iad"), "region=iad;fallback=prefer_self");
    assertEquals(await replayOf("iad", { "fly-replay-src": "instance=1;region=fra;t=1;state=" }), null);
    const elsewhere = setUp();
    const { status } = await elsewhere.post({ room: "a", region: "iad" }, await adminOf("a"));
    assertEquals(status, 201);
    assertMatch(
      await problemOf(await post({ room: "a", region: "Europe" }, await adminOf("a")), 400),
      /region.*such as fra/,
    );
  });

  it("is 503 with Retry-After when full, and while draining", async () => {
    const { post, dispatcher } = setUp({ maxSessions: 1 });
    await post({ room: "a" }, await adminOf("a"));
    const full = await post({ room: "b" }, await adminOf("b"));
    assertEquals(full.headers.get("retry-after"), "10");
    assertMatch(await problemOf(full, 503), /All 1 places/);
    await dispatcher.drain({ budgetMs: 0 });
    assertMatch(await problemOf(await post({ room: "b" }, await adminOf("b")), 503), /shutting down/);
  });

  const forged: [string, () => string | Promise<string>][] = [
    ["no token at all", () => "x"],
    ["three dots", () => "a.b.c"],
    ["algorithm none", () => unsecured()],
    ["another algorithm", () => handmade({ algorithm: "HS512" })],
    ["another secret", () => tokenWith({ roomAdmin: true, room: "r" }, "another-secret-of-32-characters!!")],
    ["another key", () => handmade({ issuer: "other" })],
    ["expired", () => handmade({ exp: -70 })],
    ["without an end", () => handmade({ exp: NaN })],
    ["not valid yet", () => handmade({ nbf: 90 })],
    ["a changed payload", async () => {
      const [head, , signature] = (await adminOf("other")).split(".");
      const [, payload] = (await adminOf("r")).split(".");
      return [head, payload, signature].join(".");
    }],
  ];
  for (const [what, token] of forged) {
    it(`is 401 with a token that is forged: ${what}`, async () => {
      const { post, started } = setUp();
      const response = await post({ room: "r" }, await token());
      assertMatch(
        response.headers.get("www-authenticate") ?? "",
        /^Bearer realm="repartee", error="invalid_token"$/,
      );
      await problemOf(response, 401);
      assertEquals(started.length, 0);
    });
  }

  it("takes a token made by hand within the leeway of clocks", async () => {
    const { post } = setUp();
    assertEquals((await post({ room: "r" }, await handmade({ exp: -60, nbf: 60 }))).status, 201);
  });

  it("is 401 without a token, and with any token when the server has no keys", async () => {
    assertMatch(
      await problemOf(await setUp().post({ room: "r" }, undefined), 401),
      /Expected a LiveKit access token/,
    );
    const detail = await problemOf(await setUp({ keys: false }).post({ room: "r" }, await adminOf("r")), 401);
    assertMatch(detail, /has no LIVEKIT_URL/);
  });

  it("is 401 before the body is looked at", async () => {
    await problemOf(await setUp().post("{", undefined, { "content-type": "text/plain" }), 401);
  });

  const others: [string, Promise<string>][] = [
    ["another room", adminOf("other")],
    ["no roomAdmin", tokenWith({ room: "r", roomJoin: true })],
    ["roomAdmin false", tokenWith({ room: "r", roomAdmin: false })],
    ["roomAdmin of no room", tokenWith({ roomAdmin: true })],
  ];
  for (const [what, token] of others) {
    it(`is 403 with a token for ${what}`, async () => {
      const { post, started } = setUp();
      await problemOf(await post({ room: "r" }, await token), 403);
      assertEquals(started.length, 0);
    });
  }

  const json = 'expected a JSON object, such as {"room": "my-room"}';
  const bodies: [string | object, string][] = [
    ["", json],
    ["{", json],
    ["[]", json],
    ["null", json],
    [{}, "room: expected the room's name, as a string"],
    [{ room: "" }, "room: expected the room's name, not an empty string"],
    [{ room: "r".repeat(257) }, "room: expected the room's name, in up to 256 characters"],
    [
      { room: 1, agent: 2, metadata: { a: 1 }, participant: "" },
      "room: expected the room's name, as a string; agent: expected an agent's name, as a string; " +
      "metadata: expected a string; stringify JSON; participant: expected a participant's identity, not an empty string",
    ],
    [{ room: "r", rom: 1 }, 'Unrecognized key: "rom"'],
  ];
  for (const [body, expected] of bodies) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    it(`is 400 in words for the body ${text.slice(0, 60)}`, async () => {
      assertEquals(await problemOf(await setUp().post(text, await adminOf("r")), 400), expected);
    });
  }

  for (const type of ["text/plain", "application/jsonp", ""]) {
    it(`is 415 for a content type of "${type}"`, async () => {
      await problemOf(await setUp().post({ room: "r" }, await adminOf("r"), { "content-type": type }), 415);
    });
  }

  it("takes a content type with a charset", async () => {
    const { post } = setUp();
    const headers = { "content-type": "Application/JSON; charset=utf-8" };
    assertEquals((await post({ room: "r" }, await adminOf("r"), headers)).status, 201);
  });

  it("is 413 over 64 KiB, told by its length or counted as it comes", async () => {
    const { app, post } = setUp();
    const token = await adminOf("r");
    const body = (bytes: number) => `{"room":"r","metadata":"${"x".repeat(bytes - 26)}"}`;
    assertEquals((await post(body(64 * 1024), token)).status, 201);
    await problemOf(await post(body(64 * 1024 + 1), token), 413);
    await problemOf(await post("{}", token, { "content-length": "65537" }), 413);
    const endless = ReadableStream.from((function* () {
      while (true) yield new Uint8Array(1024);
    })());
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    await problemOf(await app.request("/dispatch", { method: "POST", body: endless, headers }), 413);
  });

  it("is 429 with Retry-After after a burst, per bearer, room and address", async () => {
    const { post, clock } = setUp();
    const token = await adminOf("r");
    for (let i = 0; i < 20; i++) assertEquals((await post({ room: "r" }, token)).status, i === 0 ? 201 : 200);
    const refused = await post({ room: "r" }, token);
    assertEquals(refused.headers.get("retry-after"), "1");
    await problemOf(refused, 429);
    assertEquals((await post({ room: "s" }, await adminOf("s"))).status, 201);
    for (let i = 0; i < 20; i++) assertEquals((await post({}, undefined)).status, 401);
    assertEquals((await post({}, undefined)).status, 429);
    assertEquals((await post({}, undefined, {}, "5.6.7.8")).status, 401);
    await clock.advance(200);
    assertEquals((await post({ room: "r" }, token)).status, 200);
    assertEquals((await post({ room: "r" }, token)).status, 429);
  });

  it("never is a 500 for what a client sent", async () => {
    const { post, clock, log } = setUp();
    const token = await adminOf("r");
    const random = randomFrom(1);
    for (let i = 0; i < 200; i++) {
      await clock.advance(1_000);
      const body = randomBody(random);
      const { status } = await post(
        body,
        random() < 0.9 ? token : randomText(random).replaceAll(/[^\x21-\x7e]/g, ""),
      );
      assert(status < 500, `${status} for ${body}`);
    }
    assertEquals(log.lines.filter(({ level }) => level === "error"), []);
  });
});

describe("everything else", () => {
  it("is alive always, and ready unless full or draining", async () => {
    const { app, post, dispatcher } = setUp({ maxSessions: 1 });
    const status = async (path: string) => (await app.request(path)).status;
    assertEquals([await status("/healthz"), await status("/readyz")], [200, 200]);
    await post({ room: "r" }, await adminOf("r"));
    assertMatch(await problemOf(await app.request("/readyz"), 503), /taken/);
    await dispatcher.drain({ budgetMs: 0 });
    assertMatch(await problemOf(await app.request("/readyz"), 503), /shutting down/);
    assertEquals(await status("/healthz"), 200);
  });

  it("is 404 where there is nothing and 405 for another method", async () => {
    const { app } = setUp();
    assertEquals(await problemOf(await app.request("/nothing"), 404), "There is nothing at /nothing.");
    const response = await app.request("/dispatch");
    assertEquals(response.headers.get("allow"), "POST");
    assertEquals(await problemOf(response, 405), "/dispatch takes POST, not GET.");
    await problemOf(await app.request("/healthz", { method: "DELETE" }), 405);
  });

  it("is 500 for a failure of ours, which only the log explains", async () => {
    const { app, log } = setUp();
    app.get("/broken", () => {
      throw new Error("s3cret");
    });
    const detail = await problemOf(await app.request("/broken"), 500);
    assert(!detail.includes("s3cret"));
    assertEquals((log.lines.find(({ level }) => level === "error")?.fields.error as Error).message, "s3cret");
  });
});

function unsecured(): string {
  return new UnsecuredJWT({ video: { roomAdmin: true, room: "r" } }).setIssuer(livekit.apiKey)
    .setExpirationTime("1 minute").encode();
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function randomText(random: () => number): string {
  return String.fromCharCode(...Array.from({ length: random() * 40 }, () => random() * 0xffff));
}

function randomValue(random: () => number, depth = 0): unknown {
  const values = [
    () => null,
    () => random() < 0.5,
    () => (random() - 0.5) * 1e12,
    () => randomText(random),
    () => "r",
    () => depth > 3 ? [] : Array.from({ length: random() * 4 }, () => randomValue(random, depth + 1)),
    () => depth > 3 ? {} : { [randomText(random)]: randomValue(random, depth + 1) },
  ];
  return values[Math.floor(random() * values.length)]?.();
}

/** Text that is nearly a dispatch: random fields and values, sometimes broken off. */
function randomBody(random: () => number): string {
  const fields = ["room", "agent", "metadata", "participant", "__proto__", "constructor"];
  const entries = fields.filter(() => random() < 0.4).map((field) =>
    `${JSON.stringify(field)}:${JSON.stringify(randomValue(random))}`
  );
  const text = `{"room":"r"${entries.map((entry) => `,${entry}`).join("")}}`;
  return random() < 0.8 ? text : random() < 0.5 ? text.slice(0, random() * text.length) : randomText(random);
}
