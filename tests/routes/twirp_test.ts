import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AgentDispatch, CreateAgentDispatchRequest, JobStatus, JobType } from "@livekit/protocol";
import { AccessToken, type VideoGrant } from "livekit-server-sdk";
import { createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { ConfigError } from "../../src/errors.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const agent = defineAgent({ instructions: "Be brief." });

/** `closing`: what a session's close() waits for. */
function setUp({ maxSessions = 10, closing }: { maxSessions?: number; closing?: () => Promise<void> } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const { started, start } = fakeSessions(closing);
  const archive = createArchive({ ttlMs: 3_600_000, clock, log });
  const dispatcher = createDispatcher({
    agents: { assistant: agent, support: agent, broken: agent },
    defaultAgent: "assistant",
    maxSessions,
    clock,
    log,
    onSession: archive.follow,
    start(request) {
      if (request.agentName === "broken") throw new ConfigError("DEEPGRAM_API_KEY is not set");
      const session = start(request);
      started.at(-1)?.arrive();
      return session;
    },
  });
  const app = createApp({ dispatcher, archive, livekit, clock, log });
  const ask = async (
    method: string,
    body: unknown,
    { token = tokenWith({ roomAdmin: true, room: "r" }), type = "application/json", verb = "POST" }: {
      readonly token?: Promise<string> | string;
      readonly type?: string;
      readonly verb?: string;
    } = {},
  ) =>
    await app.request(`/twirp/livekit.AgentDispatchService/${method}`, {
      method: verb,
      headers: { "content-type": type, authorization: `Bearer ${await token}` },
      ...(verb === "POST" && { body: isWritten(body) ? body : JSON.stringify(body) }),
    }, { remoteAddr: { hostname: "1.2.3.4" } });
  const json = async (method: string, body: unknown, room = "r") => {
    const response = await ask(method, body, { token: tokenWith({ roomAdmin: true, room }) });
    assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
    return await response.json();
  };
  return { ask, json, started, dispatcher, archive, clock };
}

function tokenWith(grant: VideoGrant, secret = livekit.apiSecret) {
  const token = new AccessToken(livekit.apiKey, secret, { identity: "backend", ttl: 60 });
  token.addGrant(grant);
  return token.toJwt();
}

function isWritten(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === "string" || body instanceof Uint8Array;
}

/** Asserts that `response` is an error of Twirp and returns its words. */
async function errorOf(response: Response, status: number, code: string): Promise<string> {
  const body = await response.json();
  assertEquals(
    [response.status, response.headers.get("content-type"), body.code, Object.keys(body)],
    [status, "application/json", code, ["code", "msg"]],
    JSON.stringify(body),
  );
  return body.msg;
}

describe("AgentDispatchService", () => {
  it("creates, lists and deletes a dispatch, which is a session, in JSON", async () => {
    const { json, started, archive } = setUp();
    const created = await json("CreateDispatch", { room: "r", agent_name: "support", metadata: "m" });
    const { request, closes } = started[0]!;
    assertEquals([request.roomName, request.agentName, request.metadata], ["r", "support", "m"]);
    const [job] = created.state.jobs;
    assertEquals(
      [
        created.id,
        created.agent_name,
        created.room,
        created.metadata,
        created.state.deleted_at,
        created.restart_policy,
      ],
      [request.id.replace("session_", "AD_"), "support", "r", "m", "0", "JRP_ON_FAILURE"],
    );
    assertEquals(
      [created.state.jobs.length, job.dispatch_id, job.type, job.room.name, job.agent_name, job.metadata],
      [1, created.id, "JT_ROOM", "r", "support", "m"],
    );
    assertEquals([job.state.status, job.state.participant_identity], ["JS_RUNNING", `agent-${request.id}`]);
    const startedMs = Number(BigInt(created.state.created_at) / 1_000_000n);
    assertEquals(new Date(startedMs).toISOString(), archive.find(request.id)?.report().startedAt);

    assertEquals(await json("ListDispatch", { room: "r" }), { agent_dispatches: [created] });
    assertEquals(await json("ListDispatch", { room: "r", dispatchId: created.id }), {
      agent_dispatches: [created],
    });

    const deleted = await json("DeleteDispatch", { room: "r", dispatch_id: created.id });
    assertEquals(closes, ["deleted"]);
    assertEquals([deleted.id, deleted.state.jobs[0].state.status], [created.id, "JS_SUCCESS"]);
    assert(BigInt(deleted.state.deleted_at) >= BigInt(deleted.state.created_at));
    assertEquals(deleted.state.jobs[0].state.ended_at, deleted.state.deleted_at);
    assertEquals(await json("ListDispatch", { room: "r" }), { agent_dispatches: [] });
    assertEquals(await json("ListDispatch", { room: "r", dispatch_id: created.id }), {
      agent_dispatches: [deleted],
    });
    assertEquals(await json("DeleteDispatch", { room: "r", dispatch_id: created.id }), deleted);
    assertEquals(closes, ["deleted"]);
  });

  it("takes and gives protobuf", async () => {
    const { ask, started } = setUp();
    const body = new Uint8Array(
      new CreateAgentDispatchRequest({ room: "r", agentName: "support" }).toBinary(),
    );
    const response = await ask("CreateDispatch", body, { type: "application/protobuf" });
    assertEquals([response.status, response.headers.get("content-type")], [200, "application/protobuf"]);
    const dispatch = AgentDispatch.fromBinary(new Uint8Array(await response.arrayBuffer()));
    assertEquals(dispatch.id, started[0]?.request.id.replace("session_", "AD_"));
    const [job] = dispatch.state?.jobs ?? [];
    assertEquals([job?.type, job?.state?.status], [JobType.JT_ROOM, JobStatus.JS_RUNNING]);
    const refused = await ask("CreateDispatch", new Uint8Array([255]), { type: "application/protobuf" });
    await errorOf(refused, 400, "malformed");
  });

  it("answers a second dispatch of an agent with the one that is there, whatever asked for it", async () => {
    const { json, dispatcher, started } = setUp();
    await dispatcher.dispatch({ room: "r", agent: "support", metadata: "first" });
    const [a, b] = await Promise.all([
      json("CreateDispatch", { room: "r", agentName: "support", metadata: "second" }),
      json("CreateDispatch", { room: "r", agentName: "support" }),
    ]);
    assertEquals([a.id, a.metadata], [started[0]?.request.id.replace("session_", "AD_"), "first"]);
    assertEquals(b, a);
    const unnamed = await json("CreateDispatch", { room: "r" });
    assertEquals(unnamed.agent_name, "assistant");
    const { agent_dispatches } = await json("ListDispatch", { room: "r" });
    assertEquals(agent_dispatches, [a, unnamed]);
    assertEquals(started.length, 2);
  });

  it("keeps rooms apart", async () => {
    const { ask, json, started } = setUp();
    const { id } = await json("CreateDispatch", { room: "r" });
    for (const method of ["CreateDispatch", "ListDispatch", "DeleteDispatch"]) {
      const foreign = await ask(method, { room: "r", dispatch_id: id }, {
        token: tokenWith({ roomAdmin: true, room: "other" }),
      });
      assertMatch(await errorOf(foreign, 403, "permission_denied"), /roomAdmin and room "r"/);
    }
    assertEquals(await json("ListDispatch", { room: "other" }, "other"), { agent_dispatches: [] });
    assertEquals(await json("ListDispatch", { room: "other", dispatch_id: id }, "other"), {
      agent_dispatches: [],
    });
    const foreign = await ask("DeleteDispatch", { room: "other", dispatch_id: id }, {
      token: tokenWith({ roomAdmin: true, room: "other" }),
    });
    assertMatch(await errorOf(foreign, 404, "not_found"), /There is no dispatch "AD_.* in the room "other"/);
    assertEquals([started.length, started[0]?.closes], [1, []]);
  });

  it("says that a job failed, and answers a delete whose session takes long to end", async () => {
    const hanging = setUp({ closing: () => new Promise(() => {}) });
    const { id } = await hanging.json("CreateDispatch", { room: "r" });
    const pending = hanging.json("DeleteDispatch", { room: "r", dispatch_id: id });
    while (hanging.started[0]?.closes.length === 0) await hanging.clock.settle();
    await hanging.clock.advance(5_000);
    assertEquals((await pending).state.jobs[0].state.status, "JS_RUNNING");
    assertEquals(hanging.clock.pending, 0);

    const { json, started, archive } = setUp();
    const failed = await json("CreateDispatch", { room: "r" });
    started[0]?.end("error");
    await archive.idle();
    const { agent_dispatches: [dispatch] } = await json("ListDispatch", {
      room: "r",
      dispatch_id: failed.id,
    });
    assertEquals(dispatch.state.jobs[0].state.status, "JS_FAILED");
    assertMatch(dispatch.state.jobs[0].state.error, /ended with an error/);
  });

  it("refuses as Twirp does", async () => {
    const one = { room: "r", agent_name: "support" };
    const cases: readonly {
      readonly body?: unknown;
      readonly method?: string;
      readonly given?: { readonly token?: Promise<string> | string; readonly type?: string };
      readonly expected: readonly [status: number, code: string, words: RegExp];
    }[] = [
      { given: { token: "" }, expected: [401, "unauthenticated", /^Expected a LiveKit access token/] },
      { given: { token: "forged" }, expected: [401, "unauthenticated", /^The token is not valid/] },
      {
        given: { token: tokenWith({ roomJoin: true, room: "r" }) },
        expected: [403, "permission_denied", /roomAdmin/],
      },
      { body: '{"room":', expected: [400, "malformed", /expected the method's request as json/] },
      { body: { room: 5 }, expected: [400, "malformed", /could not be read/] },
      { body: [], expected: [400, "malformed", /could not be read/] },
      { body: {}, expected: [400, "invalid_argument", /^room is empty/] },
      {
        body: { ...one, agent_name: "a".repeat(257) },
        expected: [400, "invalid_argument", /^agent_name is too long/],
      },
      { body: { ...one, room: "a".repeat(257) }, expected: [400, "invalid_argument", /^room is too long/] },
      {
        body: { ...one, agent_name: "nobody" },
        expected: [404, "not_found", /no agent "nobody"; there is assistant, /],
      },
      {
        body: { ...one, agent_name: "broken" },
        expected: [503, "unavailable", /DEEPGRAM_API_KEY is not set/],
      },
      { body: { ...one, metadata: "a".repeat(70_000) }, expected: [413, "resource_exhausted", /too large/] },
      {
        given: { type: "text/plain" },
        expected: [404, "bad_route", /unexpected Content-Type: "text\/plain"/],
      },
      { method: "MoveDispatch", expected: [404, "bad_route", /MoveDispatch/] },
      { method: "DeleteDispatch", body: { room: "r" }, expected: [404, "not_found", /no dispatch ""/] },
    ];
    for (const { method = "CreateDispatch", body = one, given, expected: [status, code, words] } of cases) {
      const { ask, started } = setUp();
      const response = await ask(method, body, given);
      assertMatch(await errorOf(response, code === "resource_exhausted" ? 429 : status, code), words);
      assertEquals(response.headers.has("www-authenticate"), status === 401);
      assertEquals(started.length, 0);
    }
  });

  it("says when it is full or about to end, and limits requests", async () => {
    const { ask, dispatcher } = setUp({ maxSessions: 1 });
    assertEquals((await ask("CreateDispatch", { room: "r", agent_name: "support" })).status, 200);
    const full = await ask("CreateDispatch", { room: "r" });
    assertMatch(await errorOf(full, 429, "resource_exhausted"), /All 1 places are taken/);
    await dispatcher.drain({ budgetMs: 0 });
    const draining = await ask("CreateDispatch", { room: "r" });
    assertMatch(await errorOf(draining, 503, "unavailable"), /shutting down/);
    const responses = await Promise.all(Array.from({ length: 50 }, () => ask("ListDispatch", { room: "r" })));
    const limited = responses.find(({ status }) => status === 429);
    assert(limited, "no request was one too many");
    assert(limited.headers.has("retry-after"));
    assertMatch(await errorOf(limited, 429, "resource_exhausted"), /Too many requests/);
  });

  it("is asked by POST", async () => {
    const { ask } = setUp();
    const response = await ask("ListDispatch", undefined, { verb: "GET" });
    assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
  });
});
