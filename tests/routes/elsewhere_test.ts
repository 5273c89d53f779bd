/** Requests about sessions that another process has: two servers, one store. */
import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { createApp } from "../../routes/app.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { sessionsElsewhere } from "../../src/dispatch/elsewhere.ts";
import { createLeases } from "../../src/dispatch/leases.ts";
import { startRelay } from "../../src/dispatch/relay.ts";
import { createSharedTombstones } from "../../src/dispatch/shared_tombstones.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import { StoreError } from "../../src/dispatch/store/store.ts";
import { createCheckpoints } from "../../src/resume/checkpoints.ts";
import { createOffers } from "../../src/resume/offers.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";
import { fakeSessions } from "../fakes/session.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

const service = "/twirp/livekit.AgentDispatchService";

async function setUp({ fly = false } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  let away = false;
  const kept = memoryStore({ clock });
  const store: typeof kept = {
    ...kept,
    set: (...given) => away ? Promise.reject(new StoreError("the store is away")) : kept.set(...given),
    read: (...given) => away ? Promise.reject(new StoreError("the store is away")) : kept.read(...given),
  };
  /** What is under way beside the clock: tokens are verified in threads. */
  const answering = new Set<Promise<Response>>();
  const serve = (machine: string) => {
    const archive = createArchive({ ttlMs: 60_000, clock, log });
    const { started, start } = fakeSessions();
    const agents = { support: { instructions: "Be brief." } };
    const names = Object.keys(agents);
    const tombstones = createSharedTombstones({ store, agents: names });
    const leases = createLeases({ store, agents: names, rooms, tombstones, clock, log });
    const checkpoints = createCheckpoints({ store, sumsOf: () => undefined, log });
    const dispatcher = createDispatcher({
      agents,
      defaultAgent: "support",
      rooms,
      shared: { leases, tombstones, checkpoints, offers: createOffers(store) },
      maxSessions: 10,
      onSession: archive.follow,
      start,
      clock,
      log,
    });
    const relay = startRelay({
      store,
      has: (id) => archive.find(id) !== undefined,
      answer(request) {
        const answer = Promise.resolve(app.fetch(request));
        answering.add(answer);
        void answer.finally(() => answering.delete(answer));
        return answer;
      },
      ...(fly && { machine }),
      clock,
      log,
    });
    const app = createApp({
      dispatcher,
      archive,
      relay,
      elsewhere: sessionsElsewhere({
        rooms,
        leases,
        isHere: (id) => archive.find(id) !== undefined,
      }),
      livekit,
      ...(fly && { fly: { region: "fra", machine } }),
      clock,
      log,
    });
    return { app, dispatcher, started, relay };
  };
  const [first, second] = [serve("one"), serve("two")];
  void first.dispatcher.dispatch({ room: "r" });
  await clock.settle();
  const [session] = first.started;
  if (!session) throw new Error("no session was started");
  session.arrive({ id: session.request.roomSid });
  await clock.settle();

  /** Asks the second server for the first one's session. */
  const ask = async (
    method: string,
    path: string,
    { room = "r", body }: { readonly room?: string; readonly body?: unknown } = {},
  ) => {
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity: "backend", ttl: 60 });
    token.addGrant({ roomAdmin: true, room });
    const answer = Promise.resolve(
      second.app.request(path.replace(":id", session.request.id), {
        method,
        headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
    let answered = false;
    void answer.then(() => answered = true);
    while (!answered) {
      await Promise.all(answering);
      await clock.advance(50);
    }
    return await answer;
  };
  return {
    session,
    ask,
    setAway: () => away = true,
    async [Symbol.asyncDispose]() {
      await Promise.all([first, second].map(({ relay }) => relay[Symbol.asyncDispose]()));
    },
  };
}

describe("a session that another process has", () => {
  it("is told of, spoken through and ended by whichever is asked", async () => {
    await using servers = await setUp();
    const { session, ask } = servers;
    const report = await ask("GET", "/sessions/:id");
    assertEquals([report.status, (await report.json()).sessionId], [200, session.request.id]);
    const said = await ask("POST", "/sessions/:id/say", { body: { text: "One moment." } });
    assertEquals([said.status, await said.json()], [202, { replyId: "say-1" }]);
    assertEquals(session.said.map(({ text }) => text), ["One moment."]);
    assertEquals((await ask("POST", "/sessions/:id/say", { body: {} })).status, 400);
    assertEquals((await ask("DELETE", "/sessions/:id")).status, 202);
    assertEquals(session.closes, ["deleted"]);
    assertEquals((await ask("DELETE", "/sessions/:id")).status, 204);
  });

  it("is unknown to a token of another room, and one that nobody has to all", async () => {
    await using servers = await setUp();
    assertEquals((await servers.ask("DELETE", "/sessions/:id", { room: "s" })).status, 404);
    assertEquals((await servers.ask("GET", "/sessions/session_none")).status, 404);
    assertEquals(servers.session.closes, []);
  });

  for (const fly of [false, true]) {
    it(`tells its events ${fly ? "through Fly.io's proxy" : "there, and says so"}`, async () => {
      await using servers = await setUp({ fly });
      const answer = await servers.ask("GET", "/sessions/:id/events");
      assertEquals([answer.status, answer.headers.get("fly-replay")], [421, fly ? "instance=one" : null]);
      assertMatch((await answer.json()).detail, /another process/);
    });
  }

  it("is listed by whichever is asked, and nowhere else than in its room", async () => {
    await using servers = await setUp();
    for (const [room, listed] of [["r", [servers.session.request.id]], ["s", []]] as const) {
      const { sessions } = await (await servers.ask("GET", "/sessions", { room })).json();
      assertEquals(sessions.map(({ sessionId }: { sessionId: string }) => sessionId), listed);
    }
  });

  it("is listed and deleted as a dispatch by whichever is asked", async () => {
    await using servers = await setUp();
    const { session, ask } = servers;
    const dispatches = async () => {
      const answer = await ask("POST", `${service}/ListDispatch`, { body: { room: "r" } });
      return (await answer.json()).agent_dispatches;
    };
    const [dispatch, ...others] = await dispatches();
    assertEquals([dispatch.agent_name, dispatch.state.jobs[0].state.status, others], [
      "support",
      "JS_RUNNING",
      [],
    ]);
    const ofNobody = { room: "r", dispatch_id: "AD_none" };
    assertEquals((await ask("POST", `${service}/DeleteDispatch`, { body: ofNobody })).status, 404);
    assertEquals(session.closes, []);
    const body = { room: "r", dispatch_id: dispatch.id };
    assertEquals((await ask("POST", `${service}/DeleteDispatch`, { body })).status, 200);
    assertEquals(session.closes, ["deleted"]);
    assertEquals(await dispatches(), []);
  });

  it("cannot be asked for while the store is away", async () => {
    await using servers = await setUp();
    servers.setAway();
    for (const path of ["/sessions/:id", "/sessions"]) {
      const answer = await servers.ask("GET", path);
      assertEquals([answer.status, answer.headers.get("retry-after")], [503, "10"]);
      assertMatch((await answer.json()).detail, /the store is away/);
    }
    const answer = await servers.ask("POST", `${service}/ListDispatch`, { body: { room: "r" } });
    assertEquals([answer.status, (await answer.json()).code], [503, "unavailable"]);
  });
});
