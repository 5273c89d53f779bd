/** The real process, as `deno task start` runs it: how it starts, refuses to start, and ends. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { startServer } from "./server.ts";

describe("the process", () => {
  for (const [signal, code] of [["SIGINT", 0], ["SIGTERM", 0]] as const) {
    it(`is ready with an empty environment, and exits with ${code} on ${signal}`, async () => {
      await using server = await startServer({});
      const url = await server.url;
      const ready = await fetch(`${url}/readyz`);
      assertEquals([ready.status, await ready.json()], [200, { status: "ready" }]);
      const refused = await fetch(`${url}/dispatch`, { method: "POST" });
      assertEquals([refused.status, (await refused.json()).status], [401, 401]);
      server.kill(signal);
      assertEquals(await server.exit, code);
    });
  }

  it("ends by itself when nobody needs it, if it is to", async () => {
    await using server = await startServer({ IDLE_EXIT: "1" });
    await server.url;
    assertEquals(await server.exit, 0);
    assert(server.log.some(({ msg }) => msg === "nobody needs the server: it ends"), server.output);
  });

  it("takes signals that come together as one: Ctrl-C arrives twice through a task runner", async () => {
    await using server = await startServer({});
    await server.url;
    server.kill("SIGINT");
    server.kill("SIGTERM");
    assertEquals(await server.exit, 0);
  });

  it("says everything that is wrong with its configuration, and exits with 1", async () => {
    await using server = await startServer({ PORT: "http", LIVEKIT_API_SECRET: "s3cret" });
    assertEquals(await server.exit, 1);
    assertMatch(server.output, /PORT is "http"; expected a whole number/);
    assertMatch(server.output, /LIVEKIT_URL and LIVEKIT_API_KEY are not set/);
    assert(!server.output.includes("s3cret"), server.output);
  });

  it("says so when it cannot listen, and exits with 1", async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using server = await startServer({ PORT: String(taken.addr.port) });
    assertEquals(await server.exit, 1);
    assertMatch(server.output, new RegExp(`cannot listen on HOST 127.0.0.1, PORT ${taken.addr.port}: `));
  });
});
