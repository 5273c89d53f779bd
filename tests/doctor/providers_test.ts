import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runChecks } from "../../src/doctor/check.ts";
import { providerChecks } from "../../src/doctor/providers.ts";
import { forEachKeyed, type KeyedProvider, type ProviderKeys } from "../../src/keys.ts";
import { fakeClock } from "../fakes/clock.ts";
import { answering, freePort } from "./emulated.ts";

/** What is found with these keys, `name status: text`. */
async function examine(keys: Partial<Record<KeyedProvider, ProviderKeys>>, clock = fakeClock()) {
  const checks = providerChecks({ ...forEachKeyed(() => ({})), ...keys });
  const found = await runChecks(checks, { secrets: ["s3cret"], clock });
  return found.map(({ name, status, text }) => `${name} ${status}: ${text}`);
}

describe("the doctor at the providers", () => {
  const requests: [provider: KeyedProvider, base: string, path: string, header: string, value: string][] = [
    ["openai", "/v1", "/v1/models", "authorization", "Bearer s3cret"],
    ["deepgram", "", "/v1/auth/token", "authorization", "Token s3cret"],
    ["elevenlabs", "", "/v1/models", "xi-api-key", "s3cret"],
    ["assemblyai", "", "/v3/token?expires_in_seconds=60", "authorization", "s3cret"],
    ["anthropic", "/v1", "/v1/models?limit=1", "x-api-key", "s3cret"],
    ["google", "/v1beta", "/v1beta/models?pageSize=1", "x-goog-api-key", "s3cret"],
    ["compatible", "/v1", "/v1/models", "authorization", "Bearer s3cret"],
    ["cartesia", "", "/voices?limit=1", "x-api-key", "s3cret"],
  ];
  for (const [provider, base, path, header, value] of requests) {
    it(`asks ${provider} in its own way, at its address for WebSockets, too`, async () => {
      await using server = answering(() => Response.json({}));
      for (const url of [server.url, server.url.replace("http", "ws")]) {
        const found = await examine({ [provider]: { apiKey: "s3cret", baseUrl: `${url}${base}` } });
        assertEquals(found, [`${provider} ok: 127.0.0.1:${server.port} takes the key`]);
      }
      assertEquals(server.asked.map((asked) => [asked.path, asked.headers.get(header)]), [
        [path, value],
        [path, value],
      ]);
    });
  }

  const answers: [status: number, body: string, expected: RegExp][] = [
    [401, '{"error": "bad key s3cret"}', /^openai failed: .* refuses the key \(401\): set OPENAI_API_KEY to/],
    [403, "", /^openai failed: .* refuses the key \(403\)/],
    [
      400,
      '{"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}',
      /refuses the key/,
    ],
    [400, '{"error": {"message": "API key not valid. Please pass a valid API key."}}', /refuses the key/],
    [401, '{"detail": {"status": "missing_permissions"}}', /^openai ok: .* knows the key/],
    [429, "slow down", /^openai warning: .* answers 429: slow down; the quota .* see the account/],
    [503, "", /^openai failed: .* answers 503; .* status page/],
    [404, "what, s3cret?", /^openai warning: .* 404: what, \(hidden\)\?; .* check OPENAI_BASE_URL/],
    [302, "", /^openai warning: .* answers 302; /],
  ];
  for (const [status, body, expected] of answers) {
    it(`says what ${status} ${body.slice(0, 40)} means`, async () => {
      await using server = answering(() => new Response(body, { status }));
      const [found = ""] = await examine({ openai: { apiKey: "s3cret", baseUrl: server.url } });
      assertMatch(found, expected);
      assert(!found.includes("s3cret"));
    });
  }

  it("says that a server cannot be reached, or does not answer", async () => {
    const nobody = `http://127.0.0.1:${freePort()}`;
    const [refused = ""] = await examine({ openai: { apiKey: "k", baseUrl: nobody } });
    assertMatch(refused, /^openai failed: http:\/\/127.0.0.1:\d+ cannot be reached: .*refused/i);

    const clock = fakeClock();
    const reached = Promise.withResolvers<void>();
    await using server = answering((_, { signal }) => {
      reached.resolve();
      const { promise, resolve } = Promise.withResolvers<Response>();
      signal.addEventListener("abort", () => resolve(new Response()));
      return promise;
    });
    const found = examine({ openai: { apiKey: "k", baseUrl: server.url } }, clock);
    await reached.promise;
    await clock.advance(5_000);
    assertMatch((await found)[0] ?? "", /^openai failed: no answer within 5 s/);
  });

  it("asks only those with a key, and an address", async () => {
    assertEquals(await examine({}), []);
    assertEquals(await examine({ compatible: { apiKey: "k" } }), []);
  });
});
