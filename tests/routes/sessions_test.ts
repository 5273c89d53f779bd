import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { createApp } from "../../routes/app.ts";
import { StageError } from "../../src/errors.ts";
import type { SessionEventBody } from "../../src/events.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import { sessionReport } from "../../src/telemetry/report.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const ttlMs = 60_000;

function tokenFor(room: string | undefined, identity = "backend"): Promise<string> {
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity, ttl: 60 });
  token.addGrant(room === undefined ? { roomJoin: true, room: "r" } : { roomAdmin: true, room });
  return token.toJwt();
}

/** An app with one session, in room "r", and the archive and dispatcher behind it. */
async function setUp({ arrive = true, closing = () => Promise.resolve(), maxEvents = 100 } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const { started, start } = fakeSessions(closing);
  const archive = createArchive({ ttlMs, maxEvents, clock, log });
  const dispatcher = createDispatcher({
    agents: { support: { instructions: "Be brief." } },
    defaultAgent: "support",
    maxSessions: 10,
    clock,
    log,
    onSession: archive.follow,
    start(request) {
      const session = start(request);
      if (arrive) started.at(-1)?.arrive();
      return session;
    },
  });
  const app = createApp({ dispatcher, archive, livekit, clock, log });
  const dispatched = dispatcher.dispatch({ room: "r", participant: "caller-1" });
  await clock.settle();
  if (!arrive) await clock.advance(2_000);
  await dispatched;
  const session = started[0]!;
  const id = session.request.id;
  const ask = async (
    method: string,
    path: string,
    { room = "r", body, headers = {} }: {
      readonly room?: string;
      readonly body?: unknown;
      readonly headers?: Record<string, string>;
    } = {},
  ): Promise<Response> =>
    await app.request(path.replace(":id", id), {
      method,
      headers: {
        authorization: `Bearer ${await tokenFor(room)}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const happens = async (...events: SessionEventBody[]) => {
    for (const event of events) session.emit({ ...event, atMs: clock.now() });
    await clock.settle();
  };
  const end = async () => {
    session.end("participant-left");
    await clock.settle();
  };
  return { app, ask, archive, dispatcher, clock, log, session, id, happens, end };
}

async function problemOf(response: Response, status: number): Promise<string> {
  assertEquals([response.status, response.headers.get("content-type")], [status, "application/problem+json"]);
  return (await response.json()).detail;
}

const say = { text: "One moment, please." };
const verbs: [method: string, path: string, body?: unknown][] = [
  ["GET", "/sessions/:id"],
  ["GET", "/sessions/:id/why"],
  ["DELETE", "/sessions/:id"],
  ["POST", "/sessions/:id/say", say],
  ["POST", "/sessions/:id/interrupt"],
  ["POST", "/sessions/:id/turn", { action: "commit" }],
  ["GET", "/sessions/:id/events"],
];

describe("sessions over HTTP", () => {
  for (const [method, path, body] of verbs) {
    it(`knows no session of another room: ${method} ${path}`, async () => {
      const { ask, app, session } = await setUp();
      const other = await ask(method, path, { room: "other", body });
      const unknown = await ask(method, path.replace(":id", "session_0"), { body });
      assertEquals(await problemOf(other, 404), await problemOf(unknown, 404));
      assertEquals([session.closes, session.said, session.interrupts, session.keys], [[], [], 0, []]);
      await problemOf(await ask(method, path, { room: "", body }), 404);
      await problemOf(await app.request(path.replace(":id", session.request.id), { method }), 401);
    });
  }

  it("asks for a token that is for a room", async () => {
    const { app, id } = await setUp();
    const headers = { authorization: `Bearer ${await tokenFor(undefined)}` };
    for (const path of ["/sessions", `/sessions/${id}`]) {
      const response = await app.request(path, { headers });
      assertEquals(
        response.headers.get("www-authenticate"),
        'Bearer realm="repartee", error="insufficient_scope"',
      );
      await problemOf(response, 403);
    }
    await problemOf(await app.request("/sessions"), 401);
  });

  it("is asked so often, and no more", async () => {
    const { ask } = await setUp();
    for (let i = 0; i < 40; i++) assertEquals((await ask("GET", "/sessions")).status, 200);
    const refused = await ask("GET", "/sessions/:id");
    assertEquals(refused.headers.get("retry-after"), "1");
    await problemOf(refused, 429);
  });

  it("lists the sessions of the token's room, and no others", async () => {
    const { ask, dispatcher, id, clock } = await setUp();
    await dispatcher.dispatch({ room: "other" });
    await clock.advance(5_000);
    const response = await ask("GET", "/sessions");
    const { sessions } = await response.json();
    const [{ startedAt, ...session }] = sessions;
    assert(startedAt);
    assertEquals([response.status, sessions.length, session], [200, 1, {
      sessionId: id,
      room: "r",
      roomSid: session.roomSid,
      agent: "support",
      participant: "caller-1",
      state: "listening",
      durationMs: 5_000,
    }]);
    assertEquals(await (await ask("GET", "/sessions", { room: "empty" })).json(), { sessions: [] });
  });

  it("reports a session while it goes on, after its end, and no longer than REPORT_TTL", async () => {
    const { ask, id, happens, end, clock } = await setUp();
    await happens({ type: "user-speech-committed", turnId: "turn-1", text: "Hello?" });
    const running = await (await ask("GET", "/sessions/:id")).json();
    assertEquals([running.sessionId, running.state, running.turns[0].outcome], [id, "listening", "open"]);
    await happens({ type: "turn-ended", turnId: "turn-1", outcome: "answered" });
    await end();
    const over = sessionReport.strict().parse(await (await ask("GET", "/sessions/:id")).json());
    assertEquals([over.state, over.closeReason, over.turns[0]?.outcome], [
      "closed",
      "participant-left",
      "answered",
    ]);
    await clock.advance(ttlMs);
    await problemOf(await ask("GET", "/sessions/:id"), 404);
    assertEquals(await (await ask("GET", "/sessions")).json(), { sessions: [] });
  });
});

describe("GET /sessions/:id/why", () => {
  it("says what the long silences were spent on, also when the session has ended", async () => {
    const { ask, happens, end, clock } = await setUp();
    assertEquals(await (await ask("GET", "/sessions/:id/why")).json(), { gaps: [] });
    await happens({ type: "user-speech-committed", turnId: "turn-1", text: "Hello?", waitedMs: 500 });
    await clock.advance(2_290);
    const latency = {
      endpointingMs: 500,
      llmMs: 2_200,
      clauseMs: 0,
      ttsMs: 90,
      playoutMs: 0,
      totalMs: 2_790,
    };
    await happens({ type: "agent-started-speaking", replyId: "turn-1", latency });
    await end();
    const { gaps: [gap] } = await (await ask("GET", "/sessions/:id/why")).json();
    assertEquals([gap.replyId, gap.ms, gap.parts.length, gap.words], [
      "turn-1",
      2_790,
      3,
      "waited 500 ms for the end of the turn; first token after 2,200 ms; first audio after 90 ms",
    ]);
  });
});

describe("DELETE /sessions/:id", () => {
  it("ends the session in order, once: 202 while it ends, 204 when it has", async () => {
    const closing = Promise.withResolvers<void>();
    const { ask, session, clock } = await setUp({ closing: () => closing.promise });
    assertEquals((await ask("DELETE", "/sessions/:id")).status, 202);
    assertEquals((await ask("DELETE", "/sessions/:id")).status, 202);
    assertEquals((await (await ask("GET", "/sessions/:id")).json()).state, "listening");
    closing.resolve();
    await clock.settle();
    const { state, closeReason } = await (await ask("GET", "/sessions/:id")).json();
    assertEquals([state, closeReason, session.closes[0]], ["closed", "deleted", "deleted"]);
    const again = await ask("DELETE", "/sessions/:id");
    assertEquals([again.status, await again.text()], [204, ""]);
    assertEquals(session.closes.length, 2);
  });

  it("answers, whatever becomes of it", async () => {
    const { ask, log, clock } = await setUp({ closing: () => Promise.reject(new Error("stuck")) });
    assertEquals((await ask("DELETE", "/sessions/:id")).status, 202);
    await clock.settle();
    assert(log.lines.some(({ message }) => message === "a session did not end"));
  });
});

describe("POST /sessions/:id/say", () => {
  it("has the agent say it: 202 with the id that its events have", async () => {
    const { ask, session } = await setUp();
    const response = await ask("POST", "/sessions/:id/say", { body: say });
    assertEquals([response.status, await response.json()], [202, { replyId: "say-1" }]);
    assertEquals(session.said, [say]);
    const more = { text: "Stop!", interruptible: false, addToHistory: false, priority: "immediate" };
    assertEquals((await ask("POST", "/sessions/:id/say", { body: more })).status, 202);
    assertEquals(session.said.at(-1), more);
  });

  const bodies: [what: string, body: unknown, words: string][] = [
    ["no text", {}, "text: expected what to say, as a string"],
    ["an empty text", { text: " " }, "text: expected what to say, not an empty string"],
    ["too much text", { text: "a".repeat(10_001) }, "text: expected up to 10,000 characters"],
    ["an odd option", { text: "a", interruptible: 1 }, "interruptible: expected true or false"],
    ["an odd priority", { text: "a", priority: "low" }, "priority: expected normal, high or immediate"],
    ["no object", "Hello", 'expected a JSON object, such as {"text": "One moment, please."}'],
    ["a field that is none", { text: "a", voice: "b" }, 'Unrecognized key: "voice"'],
  ];
  for (const [what, body, words] of bodies) {
    it(`refuses ${what}`, async () => {
      const { ask, session } = await setUp();
      assertEquals(await problemOf(await ask("POST", "/sessions/:id/say", { body }), 400), words);
      assertEquals(session.said, []);
    });
  }

  it("refuses, in words, before the agent is there and after the session has ended", async () => {
    for (const path of ["/sessions/:id/say", "/sessions/:id/interrupt"]) {
      const early = await setUp({ arrive: false });
      assertEquals(
        await problemOf(await early.ask("POST", path, { body: say }), 409),
        "The agent is not in the room yet; try again in a moment.",
      );
      const late = await setUp();
      await late.end();
      assertEquals(
        await problemOf(await late.ask("POST", path, { body: say }), 409),
        "The session has ended.",
      );
      assertEquals([late.session.said, late.session.interrupts], [[], 0]);
    }
  });
});

describe("POST /sessions/:id/turn", () => {
  it("is a key to talk: pressed, let go, or pressed by mistake", async () => {
    const { ask, session } = await setUp();
    for (const action of ["start", "commit", "start", "cancel"]) {
      assertEquals((await ask("POST", "/sessions/:id/turn", { body: { action } })).status, 204);
    }
    assertEquals(session.keys, ["start", "commit", "start", "clear"]);
  });

  it("says what it takes", async () => {
    const { ask, session } = await setUp();
    const refused = await ask("POST", "/sessions/:id/turn", { body: { action: "press" } });
    assertEquals(await problemOf(refused, 400), "action: expected start, commit or cancel");
    assertEquals(session.keys, []);
  });

  it("is refused once the session has ended", async () => {
    const { ask, end } = await setUp();
    await end();
    const refused = await ask("POST", "/sessions/:id/turn", { body: { action: "start" } });
    assertEquals(await problemOf(refused, 409), "The session has ended.");
  });
});

describe("POST /sessions/:id/interrupt", () => {
  it("cuts the agent off", async () => {
    const { ask, session } = await setUp();
    assertEquals((await ask("POST", "/sessions/:id/interrupt")).status, 204);
    assertEquals(session.interrupts, 1);
  });
});

/** The blocks of a stream of events, as they come. */
function blocksOf(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    /** The next block's lines; undefined at the stream's end. */
    next: async () => (await reader.read()).value?.trimEnd().split("\n"),
    leave: () => reader.cancel(),
    async rest() {
      const all: string[] = [];
      for (let next = await reader.read(); !next.done; next = await reader.read()) all.push(next.value);
      return all.join("").trimEnd().split("\n\n");
    },
  };
}

const speaks = { type: "user-started-speaking" } as const;

describe("GET /sessions/:id/events", () => {
  it("streams what was and what comes, each with its id and type, and ends with the session", async () => {
    const { ask, happens, end } = await setUp();
    await happens(speaks);
    const response = await ask("GET", "/sessions/:id/events");
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
    const { next } = blocksOf(response);
    const data = (event: unknown) => `data: ${JSON.stringify(event)}`;
    assertEquals(await next(), [
      "event: user-started-speaking",
      data({ type: "user-started-speaking", atMs: 0 }),
      "id: 1",
    ]);
    const error = new StageError("llm", "refused", { retryable: true, cause: new Error("sk-secret-key") });
    await happens({ type: "error", error, provider: "openai" });
    const told = { stage: "llm", message: "refused", retryable: true };
    assertEquals(await next(), [
      "event: error",
      data({ type: "error", provider: "openai", atMs: 0, error: told }),
      "id: 2",
    ]);
    await end();
    assertEquals((await next())?.[0], "event: closed");
    assertEquals(await next(), undefined);
  });

  it("goes on after Last-Event-ID, also when the session has ended, and then says not to come back", async () => {
    const { ask, happens, end } = await setUp();
    await happens(speaks, speaks, speaks);
    const after = async (id: string) =>
      await ask("GET", "/sessions/:id/events", { headers: { "last-event-id": id } });
    const first = blocksOf(await after("2"));
    assertEquals((await first.next())?.at(-1), "id: 3");
    await first.leave();
    await end();
    const blocks = await blocksOf(await after("3")).rest();
    assertEquals(blocks.map((block) => block.split("\n").at(-1)), ["id: 4"]);
    assertEquals([(await after("4")).status, (await after("9")).status], [204, 204]);
    assertEquals((await blocksOf(await after("")).rest()).length, 4);
    for (const odd of ["x", "-1", "1.5", "1".repeat(16)]) {
      await problemOf(await after(odd), 400);
    }
  });

  it("says how many events are no longer kept", async () => {
    const { ask, happens } = await setUp({ maxEvents: 2 });
    await happens(speaks, speaks, speaks, speaks, speaks);
    const events = blocksOf(await ask("GET", "/sessions/:id/events", { headers: { "last-event-id": "1" } }));
    assertEquals(await events.next(), ["event: gap", 'data: {"type":"gap","missed":2}']);
    assertEquals((await events.next())?.at(-1), "id: 4");
    assertEquals((await events.next())?.at(-1), "id: 5");
    await events.leave();
  });

  it("holds nothing for a reader that does not read: it is told of the gap when it does", async () => {
    const { ask, happens, clock } = await setUp({ maxEvents: 5 });
    const { next, leave } = blocksOf(await ask("GET", "/sessions/:id/events"));
    for (let i = 0; i < 500; i++) await happens(speaks);
    const lines: string[] = [];
    while (lines.at(-1) !== "id: 500") lines.push((await next())?.at(-1) ?? "");
    assert(lines.length < 12, `${lines.length} events were held`);
    assert(lines.some((line) => line.includes('"gap"')), lines.join());
    await leave();
    await clock.settle();
    assertEquals(clock.pending, 0);
  });

  it("says every 15 s that it is there, when nothing happens", async () => {
    const { ask, clock, happens } = await setUp();
    const { next, leave } = blocksOf(await ask("GET", "/sessions/:id/events"));
    const first = next();
    await clock.advance(15_000);
    assertEquals(await first, [": nothing new"]);
    const second = next();
    await clock.advance(10_000);
    await happens(speaks);
    assertEquals((await second)?.at(-1), "id: 1");
    const third = next();
    await clock.advance(14_999);
    await leave();
    await third;
    await clock.settle();
    assertEquals(clock.pending, 0);
  });

  it("has ten readers at a time, and a place for another when one leaves", async () => {
    const { ask, clock } = await setUp();
    const events = () => ask("GET", "/sessions/:id/events");
    const readers = [];
    for (let i = 0; i < 10; i++) readers.push(blocksOf(await events()));
    const refused = await events();
    assertEquals(refused.headers.get("retry-after"), "15");
    await problemOf(refused, 429);
    await readers.pop()?.leave();
    await clock.settle();
    readers.push(blocksOf(await events()));
    for (const { leave } of readers) await leave();
  });
});
