import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Agent, defineAgent } from "../../src/agent.ts";
import {
  createDispatcher,
  type DispatcherOptions,
  type SessionRequest,
} from "../../src/dispatch/dispatcher.ts";
import { ConfigError, StageError } from "../../src/errors.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

const assistant = defineAgent({ instructions: "Be brief." });
const agents: Record<string, Agent> = { assistant, other: assistant };

function setUp(options: Partial<DispatcherOptions> = {}, closing?: () => Promise<void>) {
  const clock = fakeClock();
  const { started, start } = fakeSessions(closing);
  const log = fakeLog();
  const dispatcher = createDispatcher({
    agents,
    defaultAgent: "assistant",
    start,
    maxSessions: 3,
    clock,
    log,
    ...options,
  });
  /** Dispatches and lets the agent arrive. */
  const connect = async (room: string, agent = "assistant") => {
    const result = dispatcher.dispatch({ room, agent });
    started.at(-1)?.arrive();
    return await result;
  };
  return { clock, started, log, dispatcher, connect };
}

describe("dispatch", () => {
  it("starts a session and answers when the agent is in the room", async () => {
    const { dispatcher, started, clock } = setUp();
    const answer = dispatcher.dispatch({ room: "r", metadata: "m", participant: "p" });
    await clock.advance(500);
    started[0]?.arrive();
    const result = await answer;
    const { id, onRoom: _, ...request } = started[0]?.request as SessionRequest;
    assertEquals(request, {
      agentName: "assistant",
      agent: assistant,
      roomName: "r",
      roomSid: "r",
      metadata: "m",
      participant: "p",
    });
    assertEquals(result, {
      type: "created",
      session: { sessionId: id, room: "r", agent: "assistant", state: "connected" },
    });
    assertEquals(dispatcher.sessions, [{ sessionId: id, room: "r", agent: "assistant", state: "connected" }]);
    assertEquals(clock.pending, 0);
  });

  it("answers after 2 s when the agent is still on its way", async () => {
    const { dispatcher, started, clock } = setUp();
    let state: string | undefined;
    const answer = dispatcher.dispatch({ room: "r" }).then((result) => {
      state = "session" in result ? result.session.state : result.type;
    });
    await clock.advance(1_999);
    assertEquals(state, undefined);
    await clock.advance(1);
    await answer;
    assertEquals(state, "connecting");
    started[0]?.arrive();
    await clock.settle();
    assertEquals(dispatcher.sessions[0]?.state, "connected");
  });

  it("gives simultaneous dispatches of one room and agent one session", async () => {
    const { dispatcher, started, clock } = setUp();
    const answers = Array.from({ length: 5 }, () => dispatcher.dispatch({ room: "r" }));
    await clock.settle();
    started[0]?.arrive();
    const results = await Promise.all(answers);
    assertEquals(results.map(({ type }) => type), [
      "created",
      "existing",
      "existing",
      "existing",
      "existing",
    ]);
    assertEquals(started.length, 1);
  });

  it("keeps rooms and agents apart", async () => {
    const { connect, started } = setUp();
    await connect("r");
    await connect("r", "other");
    assertEquals(started.length, 2);
  });

  for (const second of [{ metadata: "n" }, { participant: "q" }, { metadata: "m" }]) {
    it(`is a conflict with ${JSON.stringify(second)} when it was asked for with {metadata: m, participant: p}`, async () => {
      const { dispatcher, started } = setUp();
      const first = dispatcher.dispatch({ room: "r", metadata: "m", participant: "p" });
      started[0]?.arrive();
      await first;
      assertEquals((await dispatcher.dispatch({ room: "r", ...second })).type, "conflict");
    });
  }

  it("frees the place of a session that ended", async () => {
    const { connect, started, clock, dispatcher } = setUp();
    await connect("r");
    started[0]?.end("participant-left");
    await clock.settle();
    assertEquals(dispatcher.sessions, []);
    assertEquals((await connect("r")).type, "created");
    assertEquals(started.length, 2);
  });

  for (const agent of ["nobody", "constructor", "__proto__"]) {
    it(`knows no agent ${agent}`, async () => {
      const { dispatcher } = setUp();
      assertEquals(await dispatcher.dispatch({ room: "r", agent }), {
        type: "unknown-agent",
        agent,
        known: ["assistant", "other"],
      });
    });
  }

  const unset = new ConfigError("DEEPGRAM_API_KEY is not set");
  const failures: [string, unknown, string][] = [
    ["a missing key", unset, "DEEPGRAM_API_KEY is not set"],
    ["the room", new StageError("room", "LiveKit refused the agent"), "LiveKit refused the agent"],
    [
      "a token that LiveKit refuses, which is not told",
      new StageError(
        "room",
        "LiveKit answered 401: invalid token: eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln",
      ),
      "LiveKit answered 401: invalid token: (hidden)",
    ],
    [
      "anything else, unnamed",
      new Error("at wss://…"),
      "the agent failed while it was set up; the server's log says why",
    ],
  ];
  for (const [what, error, reason] of failures) {
    it(`answers a failed join with its reason and frees the place: ${what}`, async () => {
      const { dispatcher, started, connect, log } = setUp();
      const answer = dispatcher.dispatch({ room: "r" });
      started[0]?.refuse(error);
      assertEquals(await answer, { type: "failed", reason });
      assertEquals(started[0]?.closes, ["error"]);
      assertEquals(log.lines.find(({ level }) => level === "error")?.fields.error, error);
      assertEquals((await connect("r")).type, "created");
    });

    it(`answers an agent that throws while it is set up: ${what}`, async () => {
      const { dispatcher } = setUp({
        start() {
          throw error;
        },
      });
      assertEquals(await dispatcher.dispatch({ room: "r" }), { type: "failed", reason });
      assertEquals(dispatcher.sessions, []);
    });
  }

  it("ends a session whose join fails after its answer was given", async () => {
    const { dispatcher, started, clock } = setUp();
    const answer = dispatcher.dispatch({ room: "r" });
    await clock.advance(2_000);
    await answer;
    started[0]?.refuse(unset);
    await clock.settle();
    assertEquals(dispatcher.sessions, []);
  });

  it("takes no more sessions than it may", async () => {
    const { dispatcher, connect, started, clock } = setUp({ maxSessions: 2 });
    await connect("a");
    assertEquals(dispatcher.refusal, undefined);
    await connect("b");
    const full = { type: "full", limit: "sessions", reason: "All 2 places are taken" } as const;
    assertEquals(dispatcher.refusal, full);
    assertEquals(await dispatcher.dispatch({ room: "c" }), full);
    const answer = dispatcher.dispatch({ room: "left", isLastResort: true });
    await clock.settle();
    started.at(-1)?.arrive();
    assertEquals((await answer).type, "created");
    started.pop()?.end("closed");
    await clock.settle();
    assertEquals((await dispatcher.dispatch({ room: "a" })).type, "existing");
    started[0]?.end("closed");
    await clock.settle();
    assertEquals((await connect("c")).type, "created");
  });
});

describe("drain", () => {
  it("closes every session, takes none, and settles when all have ended", async () => {
    const goodbye = Promise.withResolvers<void>();
    const { dispatcher, connect, started, clock } = setUp({}, () => goodbye.promise);
    await connect("a");
    await connect("b");
    const drained = dispatcher.drain({ budgetMs: 10_000 });
    assertEquals([dispatcher.refusal, dispatcher.load], [{ type: "draining" }, 1]);
    assertEquals(await dispatcher.dispatch({ room: "c" }), { type: "draining" });
    assertEquals(started.map(({ closes }) => closes), [["shutdown"], ["shutdown"]]);
    await clock.advance(9_000);
    assertEquals(dispatcher.sessions.length, 2);
    goodbye.resolve();
    assertEquals(await drained, 0);
    assertEquals(clock.pending, 0);
  });

  it("lets sessions go on for as long as it waits, and settles as soon as the last has ended", async () => {
    const { dispatcher, connect, started, clock } = setUp();
    await connect("a");
    await connect("b");
    const drained = dispatcher.drain({ waitMs: 60_000, budgetMs: 10_000 });
    await clock.advance(20_000);
    started[0]?.end("participant-left");
    await clock.advance(20_000);
    assertEquals(started.map(({ closes }) => closes), [[], []]);
    started[1]?.end("participant-left");
    assertEquals(await drained, 0);
    assertEquals(clock.pending, 0);
  });

  for (const asked of [false, true]) {
    it(`ends sessions that go on ${asked ? "as soon as that is asked for" : "after that"}`, async () => {
      const { dispatcher, connect, started, clock } = setUp();
      await connect("a");
      const enough = new AbortController();
      const drained = dispatcher.drain({ waitMs: 60_000, enough: enough.signal, budgetMs: 10_000 });
      await clock.advance(59_999);
      assertEquals(started[0]?.closes, []);
      if (asked) enough.abort();
      else await clock.advance(1);
      assertEquals(await drained, 0);
      assertEquals(started[0]?.closes, ["shutdown"]);
    });
  }

  it("answers a dispatch whose session was still joining", async () => {
    const { dispatcher, started } = setUp();
    const answer = dispatcher.dispatch({ room: "a" });
    const drained = dispatcher.drain({ budgetMs: 10_000 });
    started[0]?.refuse(new Error("closed"));
    assertEquals(await answer, { type: "draining" });
    assertEquals(await drained, 0);
  });

  it("gives up on a session that does not end", async () => {
    const { dispatcher, connect, clock } = setUp({}, () => new Promise(() => {}));
    await connect("a");
    const drained = dispatcher.drain({ budgetMs: 10_000 });
    await clock.advance(14_999);
    assertEquals(clock.pending, 1);
    await clock.advance(1);
    assertEquals(await drained, 1);
  });
});
