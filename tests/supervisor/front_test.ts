/** The supervisor's port before workers that are servers of the test's. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import type { Member } from "../../src/supervisor/fleet.ts";
import { createFront } from "../../src/supervisor/front.ts";
import { joinSupervisor } from "../../src/supervisor/supervised.ts";
import { fakeLog, silentLog } from "../fakes/log.ts";

type Answer = (request: Request) => Response | Promise<Response>;
/** A worker that is no more. */
const gone = "gone";
/** Where nobody listens. */
const deadPort = 9;
interface WorkerOptions {
  readonly takesCalls?: boolean;
  readonly isLate?: boolean;
  readonly sessions?: readonly { readonly sessionId: string; readonly room: string }[];
}

const token = "between-us";

/** A front before workers that answer so. */
function world(workers: Readonly<Record<string, Answer | typeof gone | [Answer, WorkerOptions]>>) {
  const servers: Deno.HttpServer[] = [];
  const supervisors: Disposable[] = [];
  /** What each worker was asked: `name METHOD path`. */
  const asked: string[] = [];
  const members: Member[] = Object.entries(workers).map(([name, given]) => {
    const [answer, options] = Array.isArray(given) ? given : [given, {}];
    const { takesCalls = true, isLate = false, sessions = [] } = options;
    const stands = { rssBytes: 1, load: 0, takesCalls, sessions: [...sessions], about: "", warnings: [] };
    const member = (port: number): Member => ({
      name,
      pid: 1,
      state: "ready",
      isLate,
      report: { port, ...stands },
    });
    if (answer === gone) return member(deadPort);
    const supervised = joinSupervisor({ port: deadPort, token, worker: name }, { clock, log: silentLog });
    supervisors.push(supervised);
    const handler = supervised.guard((request) => {
      asked.push(`${name} ${request.method} ${new URL(request.url).pathname}`);
      return answer(request);
    }, { json: () => Promise.resolve([{ name }]) });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
    servers.push(server);
    return member(server.addr.port);
  });
  const log = fakeLog();
  const front = createFront({ members: () => members, token, log });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, front.handle);
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    front,
    host,
    log,
    url: `http://${host}`,
    /** What that worker reports from now on. */
    reports(name: string, { takesCalls = true, sessions = [] }: WorkerOptions) {
      const index = members.findIndex((member) => member.name === name);
      const member = members[index];
      if (!member?.report) throw new Error(`there is no worker ${name}`);
      members[index] = { ...member, report: { ...member.report, takesCalls, sessions: [...sessions] } };
    },
    /** What was asked since it was looked at last. */
    asked: () => asked.splice(0),
    workerUrl: `http://127.0.0.1:${members[0]?.report?.port}`,
    async [Symbol.asyncDispose]() {
      members.length = 0;
      await front.handle(new Request("http://x/readyz"), info); // lets go of the workers
      await Promise.all([server, ...servers].map((one) => one.shutdown()));
      for (const one of supervisors) one[Symbol.dispose]();
    },
  };
}

const info: Deno.ServeHandlerInfo<Deno.NetAddr> = {
  remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 },
  completed: Promise.resolve(),
};
const ok: Answer = () => new Response("ok");
const refuse: Answer = () => new Response("full", { status: 503, headers: { "retry-after": "10" } });
const unknown: Answer = () => new Response("unknown", { status: 404 });
const having = (sessionId: string, room = "room") => ({ sessions: [{ sessionId, room }] });

describe("the supervisor's port", () => {
  it("passes requests on as they are, with who has asked, and answers as the worker does", async () => {
    await using all = world({
      async one(request) {
        const { method, url, headers } = request;
        const told = ["x-repartee-address", "x-repartee-host", "x-other", "accept-encoding"];
        return Response.json(
          { method, url, body: await request.text(), told: told.map((name) => headers.get(name)) },
          { status: 418, headers: { "x-answer": "1", location: "/elsewhere" } },
        );
      },
    });
    const response = await fetch(`${all.url}/token?a=b`, {
      method: "POST",
      headers: { "x-repartee-address": "1.2.3.4", "x-repartee-wanted": "metrics", "x-other": "kept" },
      body: "asked",
    });
    assertEquals([response.status, response.headers.get("x-answer")], [418, "1"]);
    assertEquals(await response.json(), {
      method: "POST",
      url: `${all.url}/token?a=b`,
      body: "asked",
      told: ["127.0.0.1", all.host, "kept", "identity"],
    });
  });

  it("passes redirects and answers without a body on", async () => {
    await using all = world({
      one: ({ url }) =>
        url.endsWith("/moved")
          ? Response.redirect("http://x/there", 303)
          : new Response(null, { status: 204 }),
    });
    const moved = await fetch(`${all.url}/moved`, { redirect: "manual" });
    assertEquals([moved.status, moved.headers.get("location")], [303, "http://x/there"]);
    await moved.body?.cancel();
    assertEquals((await fetch(`${all.url}/none`)).status, 204);
  });

  it("is alive whatever its workers are, and refuses what is too large", async () => {
    await using all = world({});
    const alive = await fetch(`${all.url}/healthz`);
    assertEquals([alive.status, await alive.json()], [200, { status: "ok" }]);
    const large = await fetch(`${all.url}/dispatch`, {
      method: "POST",
      body: new Uint8Array(1024 * 1024 + 1),
    });
    assertEquals([large.status, (await large.json()).status], [413, 413]);
    const none = await fetch(`${all.url}/dispatch`, { method: "POST" });
    assertEquals([none.status, none.headers.get("retry-after"), (await none.json()).title], [
      503,
      "10",
      "Service Unavailable",
    ]);
  });

  it("lets nobody else at the workers", async () => {
    await using all = world({ one: ok });
    const past = await fetch(`${all.workerUrl}/token`, { headers: { "x-repartee-token": "guessed" } });
    assertEquals([past.status, await past.text(), all.asked()], [
      403,
      "Expected a request of the supervisor's.\n",
      [],
    ]);
  });

  it("spreads calls, and goes on to the next worker while one refuses", async () => {
    await using all = world({ one: ok, two: ok, full: [refuse, { takesCalls: false }] });
    for (let i = 0; i < 4; i++) await (await fetch(`${all.url}/dispatch`, { method: "POST" })).text();
    assertEquals(all.asked().map((one) => one.split(" ")[0]).toSorted(), ["one", "one", "two", "two"]);

    await using busy = world({ one: refuse, two: ok });
    assertEquals(await (await fetch(`${busy.url}/dispatch`, { method: "POST", body: "{}" })).text(), "ok");
    assertEquals(busy.asked().length, 2);
    await using full = world({ one: refuse, two: refuse });
    const refused = await fetch(`${full.url}/dispatch`, { method: "POST" });
    assertEquals([refused.status, await refused.text(), full.asked().length], [503, "full", 2]);
  });

  it("goes on to the next worker when one cannot be reached", async () => {
    await using all = world({ gone, there: [ok, having("session_1")] });
    assertEquals(await (await fetch(`${all.url}/dispatch`, { method: "POST", body: "{}" })).text(), "ok");
    assert(all.log.lines.some(({ fields }) => fields.worker === "gone"), JSON.stringify(all.log.lines));
    await using none = world({ gone });
    const answer = await fetch(`${none.url}/sessions`);
    assertEquals([answer.status, (await answer.json()).detail], [
      503,
      "No worker can be reached; try again later.",
    ]);
  });

  it("finds the worker of a session: by what it reported, or by asking", async () => {
    await using all = world({ one: unknown, two: [ok, having("session_2")], three: ok });
    assertEquals(await (await fetch(`${all.url}/sessions/session_2/say`, { method: "POST" })).text(), "ok");
    assertEquals(all.asked(), ["two POST /sessions/session_2/say"]);
    await using asking = world({ one: unknown, two: ok });
    assertEquals(await (await fetch(`${asking.url}/playground/interrupt`, { method: "POST" })).text(), "ok");
    await using streaming = world({ one: () => new Response(null, { status: 421 }), two: ok });
    assertEquals(await (await fetch(`${streaming.url}/sessions/session_1/events`)).text(), "ok");
    await using none = world({ one: unknown, two: unknown });
    for (const [path, asked] of [["playground/events", 2], ["sessions/session_9", 1]] as const) {
      const missing = await fetch(`${none.url}/${path}`);
      assertEquals([missing.status, await missing.text(), none.asked().length], [404, "unknown", asked]);
    }
  });

  it("asks one that is late last, and for lists not at all", async () => {
    const hang: Answer = () => new Promise(() => {});
    await using all = world({ late: [hang, { isLate: true }], there: ok });
    assertEquals(await (await fetch(`${all.url}/dispatch`, { method: "POST" })).text(), "ok");
    assertEquals(await (await fetch(`${all.url}/sessions`)).text(), "ok");
    assertEquals(await all.front.metrics(), [[{ name: "there" }]]);
  });

  it("merges lists", async () => {
    const list = (sessionId: string, startedAt: string): Answer => () =>
      Response.json({ sessions: [{ sessionId, startedAt }] });
    await using all = world({ one: list("b", "2"), two: list("a", "1") });
    const { sessions } = await (await fetch(`${all.url}/sessions`)).json();
    assertEquals(sessions.map(({ sessionId }: { sessionId: string }) => sessionId), ["a", "b"]);
  });

  it("has a room's webhooks at one worker, and one that comes again where it came before", async () => {
    await using all = world({ one: ok, two: ok, three: [ok, having("session_3", "held")] });
    const post = async (room: string, id: string) => {
      const body = JSON.stringify({ event: "participant_joined", id, room: { name: room } });
      const response = await fetch(`${all.url}/webhooks/livekit`, { method: "POST", body });
      await response.text();
      return all.asked().map((one) => one.split(" ")[0]);
    };
    assertEquals(await post("held", "EV_1"), ["three"]);
    const [first = ""] = await post("new", "EV_2");
    await (await fetch(`${all.url}/dispatch`, { method: "POST" })).text(); // another has fewer calls now
    all.asked();
    assertEquals(await post("new", "EV_3"), [first]);
    assertEquals(await post("other", "EV_2"), [first]);
  });

  it("asks every worker for its metrics", async () => {
    await using all = world({ one: ok, two: ok });
    assertEquals(await all.front.metrics(), [[{ name: "one" }], [{ name: "two" }]]);
    assertEquals(all.asked(), []);
  });

  it("streams as it comes, until the client has enough", async () => {
    const over = Promise.withResolvers<void>();
    await using all = world({
      one: () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
            cancel: () => over.resolve(),
          }),
          { headers: { "content-type": "text/event-stream" } },
        ),
    });
    const response = await fetch(`${all.url}/sessions/session_1/events`);
    const reader = response.body!.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "data: 1\n\n");
    await reader.cancel();
    await over.promise;
  });

  describe("with WebSockets", () => {
    /** Opens one, and keeps what happens to it. */
    const open = async (host: string, first: string) => {
      const socket = new WebSocket(`ws://${host}/room`, { headers: { origin: `http://${host}` } });
      const messages: unknown[] = [];
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) =>
        void messages.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data);
      const closed = new Promise<[number, string]>((resolve) =>
        socket.onclose = ({ code, reason }) => resolve([code, reason])
      );
      await new Promise((resolve) => socket.onopen = resolve);
      socket.send(first);
      return { socket, messages, closed };
    };
    /** A worker's room: greets with `resume`, sends all back, and closes with the code that it is told. */
    const room = (resume: string, ended: (code: number) => void = () => {}): Answer => (request) => {
      const { url, headers } = request;
      const facts = { url, origin: headers.get("origin") };
      const { socket, response } = Deno.upgradeWebSocket(request);
      let isFirst = true;
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        if (isFirst) socket.send(JSON.stringify({ type: "hello", resume, ...facts }));
        isFirst = false;
        const [, code] = typeof data === "string" ? /^close (\d+)$/.exec(data) ?? [] : [];
        if (code) socket.close(Number(code), "told to");
        else socket.send(data);
      };
      socket.onclose = ({ code }) => ended(code);
      return response;
    };
    const hello = (resume?: string) => JSON.stringify({ type: "hello", resume });

    it("passes messages on in both directions, and how each end closes", async () => {
      const ended = Promise.withResolvers<number>();
      await using all = world({ one: room("token-1", ended.resolve) });
      const page = await open(all.host, hello());
      page.socket.send(new Uint8Array([1, 2, 3]));
      page.socket.send("close 4001");
      assertEquals(await page.closed, [4001, "told to"]);
      const greeting = { type: "hello", resume: "token-1", url: `${all.url}/room`, origin: all.url };
      assertEquals(page.messages, [JSON.stringify(greeting), hello(), [1, 2, 3]]);
      await ended.promise;

      const left = Promise.withResolvers<number>();
      await using other = world({ one: room("token-2", left.resolve) });
      const leaving = await open(other.host, hello());
      leaving.socket.close(4999, "gone");
      assertEquals(await left.promise, 4999);
      await leaving.closed;
    });

    it("answers as the worker does that wants none", async () => {
      const refusal = () => new Response("not here", { status: 403, headers: { "x-why": "origin" } });
      await using all = world({ one: refusal });
      const headers = {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
      };
      const answer = await all.front.handle(new Request(`${all.url}/room`, { headers }), info);
      assertEquals([answer.status, answer.headers.get("x-why"), await answer.text()], [
        403,
        "origin",
        "not here",
      ]);
    });

    it("takes a page that goes on back to the worker of its session", async () => {
      await using all = world({ one: room("token-1"), two: [room("token-2"), having("session_2")] });
      const before = await open(all.host, hello()); // at "one", which has fewer calls
      before.socket.send("close 4001");
      await before.closed;
      all.reports("two", {});
      all.reports("one", { sessions: ["a", "b"].map((sessionId) => ({ sessionId, room: "room" })) });
      const tokens: unknown[] = [];
      for (const token of ["token-1", "token-2", "token-9"]) {
        const page = await open(all.host, hello(token));
        page.socket.send("close 1000");
        await page.closed;
        tokens.push(JSON.parse(String(page.messages[0])).resume);
        assertEquals(page.messages[1], hello(token));
      }
      assertEquals(tokens, ["token-1", "token-2", "token-2"]);
    });
  });
});
