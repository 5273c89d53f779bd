import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setUpPage } from "../fakes/page_app.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const origin = "https://app.example";

const preflight = (method = "POST") => ({
  method: "OPTIONS",
  headers: {
    origin,
    "access-control-request-method": method,
    "access-control-request-headers": "authorization,content-type",
  },
});

describe("CORS", () => {
  it("is off unless origins are named", async () => {
    const { app } = setUpPage({ livekit });
    const asked = await app.request("/dispatch", preflight());
    assertEquals([asked.status, asked.headers.get("access-control-allow-origin")], [405, null]);
    const answer = await app.request("/healthz", { headers: { origin } });
    assertEquals([answer.status, answer.headers.get("access-control-allow-origin")], [200, null]);
  });

  for (const path of ["/dispatch", "/token", "/sessions", "/sessions/session_1/say", "/openapi.json"]) {
    it(`lets pages of a named origin call ${path}`, async () => {
      const { app } = setUpPage({ livekit, corsOrigins: ["https://other.example", origin] });
      const { status, headers } = await app.request(path, preflight());
      assertEquals(status, 204);
      assertEquals(headers.get("access-control-allow-origin"), origin);
      assertEquals(headers.get("access-control-allow-methods"), "GET,POST,DELETE");
      assertEquals(
        headers.get("access-control-allow-headers"),
        "Authorization,Content-Type,Last-Event-ID,X-Request-Id",
      );
      assertEquals(headers.get("access-control-allow-credentials"), null);
      assertEquals(headers.get("vary")?.includes("Origin"), true);
    });
  }

  it("lets them read what is answered, refusals too", async () => {
    const { app } = setUpPage({ livekit, corsOrigins: [origin] });
    const { status, headers } = await app.request("/dispatch", { method: "POST", headers: { origin } });
    assertEquals([status, headers.get("access-control-allow-origin")], [401, origin]);
    assertEquals(headers.get("access-control-expose-headers"), "Retry-After,WWW-Authenticate,X-Request-Id");
    assertEquals(headers.get("vary"), "Origin");
  });

  for (
    const other of [
      "https://app.example.evil.example",
      "http://app.example",
      "https://app.example:8443",
      "null",
      "HTTPS://APP.EXAMPLE",
    ]
  ) {
    it(`gives no leave to ${other}`, async () => {
      const { app } = setUpPage({ livekit, corsOrigins: [origin] });
      const asked = await app.request("/dispatch", { ...preflight(), headers: { origin: other } });
      assertEquals(asked.headers.get("access-control-allow-origin"), null);
      const answer = await app.request("/healthz", { headers: { origin: other } });
      assertEquals(answer.headers.get("access-control-allow-origin"), null);
    });
  }

  for (const path of ["/", "/playground/config", "/playground/dispatch", "/room", "/webhooks/livekit"]) {
    it(`is never for ${path}`, async () => {
      const { app } = setUpPage({ livekit, corsOrigins: [origin] });
      for (const init of [preflight(), { headers: { origin } }]) {
        const { headers } = await app.request(path, init);
        assertEquals(headers.get("access-control-allow-origin"), null);
      }
    });
  }
});
