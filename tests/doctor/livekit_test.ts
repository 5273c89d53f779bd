import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { SignalResponse } from "@livekit/protocol";
import { loadConfig } from "../../src/config.ts";
import { systemClock } from "../../src/clock.ts";
import { type Check, runChecks } from "../../src/doctor/check.ts";
import { livekitChecks } from "../../src/doctor/livekit.ts";
import { clockChecks } from "../../src/doctor/time.ts";
import { fakeClock } from "../fakes/clock.ts";
import { answering, freePort } from "./emulated.ts";

const keys = { apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

async function examine(checks: readonly Check[]): Promise<Record<string, string>> {
  const found = await runChecks(checks, { secrets: [keys.apiSecret], clock: fakeClock() });
  return Object.fromEntries(found.map(({ name, status, text }) => [name, `${status}: ${text}`]));
}
/** All but the media, which takes the real thing. */
const livekitAt = (url: string, apiSecret = keys.apiSecret) => {
  const livekit = { ...keys, apiSecret, url: url.replace("http", "ws") };
  return livekitChecks({ livekit, clock: systemClock }).filter(({ name }) => name !== "livekit media");
};

describe("the doctor at LiveKit", () => {
  const token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJrZXkifQ.c2lnbmF0dXJl";
  // As livekit-server 1.11.0 says it.
  const answers: [what: string, status: number, body: string, expected: RegExp][] = [
    ["an unknown key", 401, "invalid API key: key", /does not know the key: set LIVEKIT_API_KEY/],
    [
      "another secret",
      401,
      `invalid token: ${token}, error: go-jose/go-jose: error in cryptographic primitive`,
      /knows the key, but the secret is another: set LIVEKIT_API_SECRET/,
    ],
    [
      "a token out of its time",
      401,
      `invalid token: ${token}, error: go-jose/go-jose/jwt: validation failed, token is expired (exp)`,
      /refuses a token for its time: set this machine's clock/,
    ],
    ["anything else", 403, `no: ${token}`, /refuses the keys \(403: no: \(hidden\)\): check LIVEKIT_API_KEY/],
    ["another server", 404, "<html>", /answers 404: <html>; expected LiveKit: check LIVEKIT_URL/],
  ];
  for (const [what, status, body, expected] of answers) {
    it(`says what is wrong: ${what}`, async () => {
      await using server = answering(() => new Response(body, { status }));
      const found = await examine(livekitAt(server.url));
      assertMatch(found.livekit ?? "", expected);
      assert(found.livekit?.startsWith("failed: ") && !found.livekit.includes("eyJ"));
      assertEquals([found["livekit signal"], found["livekit worker"], server.asked.length], [
        "skipped: not tried: see livekit",
        "skipped: not tried: see livekit",
        1,
      ]);
    });
  }

  it("says that it is down", async () => {
    const found = await examine(livekitAt(`http://127.0.0.1:${freePort()}`));
    assertMatch(found.livekit ?? "", /^failed: http:\/\/127\.0\.0\.1:\d+ cannot be reached: .*refused/i);
  });

  it("says that a proxy refuses WebSockets, and that a secret is short", async () => {
    await using server = answering(({ path }) =>
      path.startsWith("/twirp/") ? Response.json({ rooms: [] }) : new Response(null, { status: 400 })
    );
    const found = await examine(livekitAt(server.url, "short"));
    assertMatch(found.livekit ?? "", /^warning: .* takes the keys, though the secret has fewer than 32/);
    for (const name of ["livekit signal", "livekit worker"]) {
      assertMatch(found[name] ?? "", /^failed: .* refuses the WebSocket with 400; is there a proxy/);
    }
    const [made, deleted] = server.asked.filter(({ path }) => /(Create|Delete)Room$/.test(path));
    const { name, metadata } = JSON.parse(made?.body ?? "");
    assertEquals([JSON.parse(deleted?.body ?? ""), metadata], [
      { room: name },
      '{"agent":"repartee-doctor"}',
    ]);
  });

  it("says that a WebSocket is closed, or answers something else", async () => {
    const other = new SignalResponse({ message: { case: "pong", value: 1n } }).toBinary();
    await using server = answering(({ path }, request) => {
      if (path.startsWith("/twirp/")) return Response.json({});
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => path === "/agent" ? socket.close(4000, "no") : socket.send(other);
      return response;
    });
    const found = await examine(livekitAt(server.url));
    assertMatch(found["livekit signal"] ?? "", /^failed: .* answers a join with pong/);
    assertMatch(found["livekit worker"] ?? "", /^failed: .* closes the WebSocket with 4000 no; /);
  });
});

describe("the doctor and the clock", () => {
  const cases: [aheadSeconds: number, expected: RegExp][] = [
    [0, /^ok: within \d s of that of 127/],
    [-20, /^ok: within (19|2\d) s/],
    [60, /^failed: this machine's clock is (59|6\d) s ahead of .* tokens .* refused .* set the clock/],
    [-3_600, /^failed: this machine's clock is (3[56]\d\d) s behind that of/],
  ];
  for (const [aheadSeconds, expected] of cases) {
    it(`looks at LiveKit's, ${aheadSeconds} s off`, async () => {
      const date = () => new Date(Date.now() - aheadSeconds * 1000).toUTCString();
      await using server = answering(() => new Response("OK", { headers: { date: date() } }));
      const config = loadConfig({
        LIVEKIT_URL: server.url,
        LIVEKIT_API_KEY: keys.apiKey,
        LIVEKIT_API_SECRET: keys.apiSecret,
      });
      assertMatch((await examine(clockChecks(config))).clock ?? "", expected);
    });
  }

  it("looks at a provider's without LiveKit, and at nobody's without any", async () => {
    await using server = answering(() => new Response(null, { headers: { date: "?" } }));
    const config = loadConfig({ OPENAI_API_KEY: "k", OPENAI_BASE_URL: `${server.url}/v1` });
    assertMatch(
      (await examine(clockChecks(config))).clock ?? "",
      /^warning: .* does not say what time it is/,
    );
    assertEquals(server.asked[0]?.headers.has("authorization"), false);
    assertEquals(clockChecks(loadConfig({})), []);
  });
});
