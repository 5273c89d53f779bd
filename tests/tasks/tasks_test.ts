/** The tasks of the command line, as processes of their own, against the real routes over real sockets. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { TokenVerifier } from "livekit-server-sdk";
import { createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import { environment } from "../../src/environment.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const keys = {
  LIVEKIT_URL: livekit.url,
  LIVEKIT_API_KEY: livekit.apiKey,
  LIVEKIT_API_SECRET: livekit.apiSecret,
};

/** Runs a task of deno.json; `.env` files are not seen, nor other variables of the server's. */
async function run(task: "dispatch" | "token", args: string[], env: Record<string, string> = keys) {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const unset = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, ""]));
  const { code, stdout, stderr } = await new Deno.Command("env", {
    args: [...tasks[task].split(" "), ...args],
    cwd: new URL("../..", import.meta.url),
    env: { ...unset, NO_COLOR: "1", ...env },
  }).output();
  const [out = "", error = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code, out, error };
}

/** A server whose agents arrive at once, unless `arrive` is false. */
function serve({ arrive = true } = {}) {
  const { started, start } = fakeSessions();
  const clock = fakeClock();
  const log = fakeLog();
  const support = defineAgent({ instructions: "Be brief." });
  const dispatcher = createDispatcher({
    agents: { support },
    defaultAgent: "support",
    maxSessions: 10,
    clock,
    log,
    start(request) {
      const session = start(request);
      if (arrive) started.at(-1)?.arrive();
      else void clock.advance(2_000);
      return session;
    },
  });
  const app = createApp({ dispatcher, livekit, clock, log });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, port: server.addr.port, started, [Symbol.asyncDispose]: () => server.shutdown() };
}

describe("deno task dispatch", () => {
  it("sends the agent and says so, with metadata and participant; the second time that it is there", async () => {
    await using server = serve();
    const args = ["my room", "support", "--metadata", '{"plan":"gold"}', "--participant", "ada"];
    const env = { ...keys, HOST: "0.0.0.0", PORT: String(server.port) };
    const first = await run("dispatch", args, env);
    const request = server.started[0]?.request;
    assertEquals(first, { code: 0, out: `support is in my room: ${request?.id}`, error: "" });
    assertEquals(
      [request?.roomName, request?.agentName, request?.metadata, request?.participant],
      ["my room", "support", '{"plan":"gold"}', "ada"],
    );
    const second = await run("dispatch", [...args, "--url", `${server.url}/`]);
    assertEquals(second, { code: 0, out: `support is already in my room: ${request?.id}`, error: "" });
  });

  it("takes the default agent and any metadata, and does not wait for one that is slow", async () => {
    await using server = serve({ arrive: false });
    const { code, out } = await run("dispatch", ["room", "--metadata", "gold: {", "--url", server.url]);
    const request = server.started[0]?.request;
    assertEquals([code, out], [0, `support is on its way to room: ${request?.id}`]);
    assertEquals(request?.metadata, "gold: {"); // any text
  });

  it("exits with 1 and one sentence", async () => {
    await using server = serve();
    await using other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("Hi"),
    );
    const { port } = other.addr;
    const url = ["--url", server.url];
    const cases: readonly [args: string[], expected: RegExp, env?: Record<string, string>][] = [
      [["room", "nobody", ...url], /^There is no agent "nobody"; there is support\.$/],
      [["room", ...url], /^The token is not valid: /, { ...keys, LIVEKIT_API_SECRET: "x".repeat(40) }],
      [
        ["room", "--url", "http://127.0.0.1:1"],
        /^No server answers at http:\/\/127.0.0.1:1; .*`deno task start`/,
      ],
      [["room"], /^No server answers at http:\/\/\[::1\]:1; /, { ...keys, HOST: "::1", PORT: "1" }],
      [
        ["room", "--url", `http://127.0.0.1:${port}`],
        /answered 200 with text\/plain.*; expected a Repartee server/,
      ],
      [["room", "--url", "localhost:8080"], /^--url is "localhost:8080"; expected the server's address/],
      [["room", ...url], /^LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set; /, {}],
      [["room", ...url], /^PORT is "x"; expected a whole number/, { ...keys, PORT: "x" }],
      [
        ["room", "--metadata", "{plan:gold}", ...url],
        /^--metadata is "\{plan:gold\}", which is not JSON \(.+\); expected JSON in quotes/,
      ],
      [[], /^Expected: deno task dispatch ROOM /],
      [["a", "b", "c"], /^Expected: deno task dispatch ROOM /],
      [["a", "--loud"], /--loud.* Expected: deno task dispatch ROOM /],
    ];
    const outcomes = await Promise.all(cases.map(([args, , env]) => run("dispatch", args, env)));
    for (const [i, { code, out, error }] of outcomes.entries()) {
      assertEquals([code, out, error.split("\n").length], [1, "", 1], error);
      assertMatch(error, cases[i]![1]);
      assert(!error.includes(livekit.apiSecret));
    }
    assertEquals(server.started.length, 0);
  });
});

describe("deno task token", () => {
  const verify = (token: string) => new TokenVerifier(livekit.apiKey, livekit.apiSecret).verify(token);

  it("prints a caller's token alone, and in other words where to use it", async () => {
    const { code, out, error } = await run("token", ["my room", "ada"]);
    assertEquals(code, 0, error);
    const { sub, video } = await verify(out);
    const join = {
      room: "my room",
      roomJoin: true,
      canPublish: true,
      canSubscribe: true,
      canPublishData: true,
    };
    assertEquals([sub, video], ["ada", join]);
    assertMatch(error, /^ada joins my room at ws:\/\/127\.0\.0\.1:1 with this token, for 6 hours/);
    assert(error.includes(`liveKitUrl=${encodeURIComponent(livekit.url)}&token=${out}`), error);
  });

  it("makes an admin of the room with --admin, whom the server obeys", async () => {
    await using server = serve();
    const { out, error } = await run("token", ["room", "ada", "--admin"]);
    assertMatch(error, /bearer token at http:\/\/localhost:8080\.$/);
    const response = await fetch(`${server.url}/dispatch`, {
      method: "POST",
      headers: { authorization: `Bearer ${out}`, "content-type": "application/json" },
      body: '{"room":"room"}',
    });
    assertEquals([response.status, (await response.json()).room], [201, "room"]);
  });

  it("exits with 1 and one sentence", async () => {
    const cases: readonly [args: string[], expected: RegExp, env?: Record<string, string>][] = [
      [["room"], /^Expected: deno task token ROOM IDENTITY/],
      [["room", ""], /^Expected: deno task token ROOM IDENTITY/],
      [["room", "ada"], /are not set; expected those of the running server/, {}],
    ];
    for (const [args, expected, env] of cases) {
      const { code, out, error } = await run("token", args, env);
      assertEquals([code, out], [1, ""]);
      assertMatch(error, expected);
    }
  });
});
