/** Two workers behind one port: the real processes, the real livekit-server. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { joinCaller, until } from "./caller.ts";
import { newRoomName, startRepartee, untilGreeted } from "./dispatch_world.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());
const lost = "Sorry, I lost you for a second.";

interface Session {
  readonly sessionId: string;
  readonly room: string;
}

/** A request as an operator of `room` makes it. */
async function ask(address: string, room: string, path: string, body?: unknown): Promise<Response> {
  const token = new AccessToken(livekit?.apiKey, livekit?.apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return await fetch(`${address}${path}`, {
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
  });
}

/** Reads server-sent events until one is of that type. */
async function untilEvent(response: Response, type: string): Promise<void> {
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(`event: ${type}\n`)) return;
  }
  throw new Error(`expected ${type} among the events: ${text}`);
}

describe("two workers", () => {
  it(
    "share the calls, go on with those of one that is killed, and leave when they are told to",
    options,
    async () => {
      await using all = await startRepartee(livekit!, { env: { WORKERS: "2" }, registered: false });
      const { server, address, told } = all;
      const worker = (sessionId: string): string => {
        const line = told("agent joined").find((one) => one.sessionId === sessionId);
        return String(line?.worker);
      };
      const rooms = [newRoomName(), newRoomName()];
      const [first = "", second = ""] = rooms;
      await using caller = await joinCaller({ ...livekit!, roomName: first });
      const sessions: Session[] = [];
      for (const room of rooms) {
        const response = await ask(address, room, "/dispatch", { room });
        const body = await response.json();
        assert(response.status === 201 || response.status === 202, JSON.stringify(body));
        sessions.push(body);
      }
      const again = await ask(address, first, "/dispatch", { room: first });
      assertEquals([again.status, (await again.json()).sessionId], [200, sessions[0]?.sessionId]);
      const [one = "", two = ""] = sessions.map(({ sessionId }) => sessionId);
      await until(() => told("agent joined").length === 2, "both agents", 15_000);
      assert(worker(one) !== worker(two), `both are at worker ${worker(one)}`);

      // Each is found wherever it is.
      await untilGreeted(caller);
      for (const [room, sessionId] of [[first, one], [second, two]] as const) {
        const { sessions: listed } = await (await ask(address, room, "/sessions")).json();
        assertEquals(listed.map((session: Session) => session.sessionId), [sessionId]);
        await untilEvent(await ask(address, room, `/sessions/${sessionId}/events`), "state-changed");
      }
      assertEquals((await ask(address, first, `/sessions/${one}/say`, { text: "Hear me." })).status, 202);
      assertEquals((await ask(address, second, `/sessions/${one}/say`, { text: "Hear me." })).status, 404);
      const untilMeasured = (line: RegExp) =>
        until(async () => line.test(await (await fetch(`${address}/metrics`)).text()), String(line), 30_000);
      await untilMeasured(/^repartee_sessions\{agent="assistant"\} 2$/m);

      const started = told("a worker is started").find((line) => line.worker === worker(one));
      const killedMs = performance.now();
      Deno.kill(Number(started?.pid), "SIGKILL");
      const said = () => caller.transcripts.find(({ text, closed }) => closed && text.startsWith(lost));
      const { atMs } = await until(said, "the agent to be there again", 30_000);
      console.log(`${Math.round(atMs - killedMs)} ms after the kill the agent was there again`);
      await until(
        () => worker(one) !== "undefined" && told("agent joined").length === 3,
        "the other worker",
        5_000,
      );
      const joined = told("agent joined").filter(({ sessionId }) => sessionId === one);
      // At the other worker, or at the one that came in the place of the first.
      assert(joined.at(-1)?.worker !== worker(one), `it is at worker ${worker(one)} again`);
      await untilMeasured(/^repartee_workers 2$/m);

      server.kill("SIGTERM");
      assertEquals(await server.exit, 0);
      const ended = told("session ended").map(({ sessionId }) => sessionId);
      assertEquals(ended.toSorted(), [one, two].toSorted());
    },
  );

  it("are one to a page: its call, and where it goes on", async () => {
    await using server = await startServer({ WORKERS: "2" });
    const url = await server.url;
    assert(server.output.includes("in 2 processes"), server.output);
    assertEquals((await fetch(`${url}/readyz`)).status, 200);
    const call = async (resume?: string) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/room`, { headers: { origin: url } });
      const greeted = Promise.withResolvers<{ readonly resume: string; readonly resumed: boolean }>();
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.onopen = () =>
        socket.send(JSON.stringify({ type: "hello", version: 1, ...(resume && { resume }) }));
      socket.onmessage = ({ data }) => {
        const message = typeof data === "string" ? JSON.parse(data) : {};
        if (message.type === "hello") greeted.resolve(message);
      };
      const hello = await greeted.promise;
      socket.close(4999); // as when the line is lost
      await closed;
      return hello;
    };
    const first = await call();
    assertEquals(first.resumed, false);
    for (let i = 0; i < 3; i++) assertEquals((await call(first.resume)).resumed, true);
    server.kill("SIGINT");
    assertEquals(await server.exit, 0);
  });

  it("do not start with what is wrong, and end when their supervisor is gone", async () => {
    await using wrong = await startServer({ WORKERS: "2", AUTO_AGENT: "nobody" });
    assertEquals(await wrong.exit, 1);
    assertMatch(wrong.output, /AUTO_AGENT is "nobody"; expected an agent of the registry/);
    await using server = await startServer({ WORKERS: "2" });
    await server.url;
    server.kill("SIGKILL");
    await server.exit; // when the last that writes there has ended
    assertEquals(server.log.filter(({ msg }) => msg.startsWith("the supervisor is gone")).length, 2);
  });
});
