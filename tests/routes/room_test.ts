import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { ServerMessage } from "../../src/room/browser/wire.ts";
import { type PageServer, startPageServer } from "../e2e/page_server.ts";
import { setUpPage } from "../fakes/page_app.ts";

const hello = { type: "hello", version: 1 };

/** A page's socket, over a real connection. */
async function connect({ url }: PageServer, said: object = hello) {
  const socket = new WebSocket(url.replace("http", "ws") + "/room", { headers: { origin: url } });
  socket.binaryType = "arraybuffer";
  const messages: ServerMessage[] = [];
  const waiting = new Set<() => void>();
  const closed = Promise.withResolvers<number>();
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") messages.push(JSON.parse(data));
    for (const look of waiting) look();
  });
  socket.addEventListener("close", ({ code }) => closed.resolve(code));
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  const send = (message: object) => socket.send(JSON.stringify(message));
  /** The first message of that type, now or later. */
  const next = <T extends ServerMessage["type"]>(type: T) =>
    new Promise<Extract<ServerMessage, { type: T }>>((resolve) => {
      const look = () => {
        const found = messages.find((message) => message.type === type);
        if (!found) return;
        waiting.delete(look);
        resolve(found as Extract<ServerMessage, { type: T }>);
      };
      waiting.add(look);
      look();
    });
  send(said);
  return { socket, send, next, messages, closed: closed.promise };
}

describe("GET /room: who may connect", () => {
  const upgrade = { upgrade: "websocket", connection: "upgrade" };
  const table: [what: string, url: string, headers: Record<string, string>, status: number][] = [
    ["another site", "http://localhost/room", { ...upgrade, origin: "http://evil.example" }, 403],
    ["another port", "http://localhost:8080/room", { ...upgrade, origin: "http://localhost:9090" }, 403],
    ["no origin", "http://localhost/room", upgrade, 403],
    ["an opaque origin", "http://localhost/room", { ...upgrade, origin: "null" }, 403],
    ["a rebound name", "http://evil.example/room", { ...upgrade, origin: "http://evil.example" }, 403],
    ["no WebSocket", "http://localhost/room", { origin: "http://localhost" }, 426],
  ];
  for (const [what, url, headers, status] of table) {
    it(`is ${status} for ${what}`, async () => {
      const response = await setUpPage().app.request(url, { headers });
      assertEquals([response.status, response.headers.get("content-type")], [
        status,
        "application/problem+json",
      ]);
    });
  }

  it("is 401 without the password's cookie", async () => {
    const { app } = setUpPage({ access: { type: "password", password: "open sesame" } });
    const headers = { ...upgrade, origin: "http://localhost" };
    assertEquals((await app.request("http://localhost/room", { headers })).status, 401);
  });
});

describe("GET /room: sockets", () => {
  it("begins a session, and ends it when the page says goodbye", async () => {
    await using server = startPageServer();
    const page = await connect(server);
    assertEquals((await page.next("hello")).agent, "assistant");
    page.send({ type: "bye" });
    assertEquals([(await page.next("closed")).reason, await page.closed], ["participant-left", 1000]);
  });

  it("goes on with the session of the token", async () => {
    await using server = startPageServer();
    const first = await connect(server);
    const { resume, sessionId } = await first.next("hello");
    first.socket.close();
    await first.closed;
    const second = await connect(server, { ...hello, resume });
    const again = await second.next("hello");
    assertEquals([again.resumed, again.sessionId, server.calls.rooms.length], [true, sessionId, 1]);
    second.send({ type: "bye" });
    await second.closed;
  });

  it("begins another session for a token that is not known", async () => {
    await using server = startPageServer();
    const page = await connect(server, { ...hello, resume: "guess" });
    assertEquals((await page.next("hello")).resumed, false);
    page.send({ type: "bye" });
    await page.closed;
  });

  it("says who there is to talk with when that is not whom the page names", async () => {
    await using server = startPageServer();
    const page = await connect(server, { ...hello, agent: "nobody" });
    const { reason, text } = await page.next("closed");
    assertEquals([reason, text], ["failed", 'There is no agent "nobody"; there is assistant.']);
    assertEquals([await page.closed, server.calls.rooms.length], [1000, 0]);
  });

  const wrong: [what: string, said: object, code: number][] = [
    ["something else than hello", { type: "interrupt" }, 1008],
    ["another version", { type: "hello", version: 2 }, 1007],
  ];
  for (const [what, said, code] of wrong) {
    it(`is closed with ${code} for ${what}`, async () => {
      await using server = startPageServer();
      assertEquals(await (await connect(server, said)).closed, code);
      assertEquals(server.calls.rooms.length, 0);
    });
  }

  it("closes a malformed socket, and nothing else", async () => {
    await using server = startPageServer();
    const [bad, good] = [await connect(server), await connect(server)];
    const { resume } = await bad.next("hello");
    bad.socket.send(new Uint8Array(64 * 1024 + 1));
    assertEquals(await bad.closed, 1009);
    const back = await connect(server, { ...hello, resume });
    assertEquals((await back.next("hello")).resumed, true);
    good.send({ type: "text", text: "hi" });
    assertEquals((await good.next("agent-transcript")).id, "reply-1");
    for (const page of [back, good]) {
      page.send({ type: "bye" });
      await page.closed;
    }
  });

  it("has so many places for an address, and takes them again", async () => {
    await using server = startPageServer({ limits: { perAddress: 1 } });
    const first = await connect(server);
    await first.next("hello");
    const second = await connect(server);
    assertMatch((await second.next("closed")).text, /Too many conversations/);
    assertEquals(await second.closed, 1013);
    first.send({ type: "bye" });
    await first.closed;
    const third = await connect(server);
    await third.next("hello");
    third.send({ type: "bye" });
    await third.closed;
  });

  it("ends a session when its time is over, and says so", async () => {
    await using server = startPageServer({ limits: { sessionMs: 20 } });
    const page = await connect(server);
    assertEquals([(await page.next("closed")).reason, await page.closed], ["time-limit", 1000]);
  });

  it("tells a page that the server is going", async () => {
    await using server = startPageServer();
    const page = await connect(server);
    await page.next("hello");
    await server.drain();
    assertEquals([(await page.next("closed")).reason, await page.closed], ["shutdown", 1000]);
  });
});
