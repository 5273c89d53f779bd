import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AccessToken, TokenVerifier } from "livekit-server-sdk";
import { setUpPage } from "../fakes/page_app.ts";

const livekit = { url: "wss://x.example", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const own = { origin: "http://localhost" };

function request(
  body: unknown,
  headers: Record<string, string> = {},
  options: Parameters<typeof setUpPage>[0] = {},
) {
  return setUpPage({ livekit, ...options }).app.request("/token", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

async function bearer(grant: { roomAdmin?: boolean; room?: string; roomJoin?: boolean }) {
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity: "backend", ttl: 60 });
  token.addGrant(grant);
  return { authorization: `Bearer ${await token.toJwt()}` };
}

describe("POST /token", () => {
  it("gives a caller's token for the room that the bearer is an admin of", async () => {
    const response = await request({ identity: "ann" }, await bearer({ roomAdmin: true, room: "r" }));
    assertEquals(response.status, 200);
    const { token, ...rest } = await response.json();
    assertEquals(rest, { url: "wss://x.example", room: "r", identity: "ann" });
    const claims = await new TokenVerifier(livekit.apiKey, livekit.apiSecret).verify(token);
    assertEquals([claims.sub, claims.video], ["ann", {
      room: "r",
      roomJoin: true,
      canPublish: true,
      canSubscribe: true,
      canPublishData: true,
    }]);
    assert(Number(claims.exp) * 1000 - Date.now() <= 600_000);
  });

  it("gives the page a room and an identity of its own", async () => {
    const first = await (await request({}, own)).json();
    const second = await (await request({}, own)).json();
    assertMatch(first.room, /^playground-/);
    assertMatch(first.identity, /^caller-/);
    assert(first.room !== second.room && first.identity !== second.identity);
  });

  const refused: [string, unknown, Record<string, string> | Promise<Record<string, string>>, number][] = [
    ["another room than the bearer's", { room: "s" }, bearer({ roomAdmin: true, room: "r" }), 403],
    ["a bearer who is an admin of no room", {}, bearer({ roomJoin: true, room: "r" }), 403],
    ["a forged token, though the page asks", {}, { ...own, authorization: "Bearer x" }, 401],
    ["another site", {}, { origin: "http://evil.example" }, 403],
    ["no origin", {}, {}, 403],
    ["another room than the page's", { room: "boardroom" }, own, 403],
    ["an identity that is a number", { identity: 1 }, own, 400],
    ["a field that is not known", { rom: "r" }, own, 400],
    ["another type of body", {}, { ...own, "content-type": "text/plain" }, 415],
  ];
  for (const [what, body, headers, status] of refused) {
    it(`is ${status} for ${what}`, async () => {
      const response = await request(body, await headers);
      assertEquals([response.status, response.headers.get("content-type")], [
        status,
        "application/problem+json",
      ]);
    });
  }

  it("is 401 for the page when one has to sign in, and without a token when there is no page", async () => {
    const access = { type: "password", password: "open sesame" } as const;
    assertEquals((await request({}, own, { access })).status, 401);
    assertEquals((await request({}, own, { access: { type: "off" } })).status, 401);
  });

  it("is 503 in words without LiveKit keys", async () => {
    const response = await setUpPage().app.request("/token", { method: "POST" });
    assertEquals(response.status, 503);
    assertMatch((await response.json()).detail, /has no LIVEKIT_URL/);
  });
});
