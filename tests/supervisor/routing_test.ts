import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  byCalls,
  type Candidate,
  memory,
  preferring,
  type Route,
  routeOf,
} from "../../src/supervisor/routing.ts";

const twirp = "/twirp/livekit.AgentDispatchService";

describe("the route of a request", () => {
  const session = (sessionId?: string, unless = 404): Route => ({ type: "session", sessionId, unless });
  const table: [request: string, Route][] = [
    ["POST /dispatch", { type: "call" }],
    ["POST /playground/dispatch", { type: "call" }],
    [`POST ${twirp}/CreateDispatch`, { type: "call" }],
    [`POST ${twirp}/ListDispatch`, { type: "list" }],
    [`POST ${twirp}/DeleteDispatch`, session()],
    ["GET /sessions", { type: "list" }],
    ["OPTIONS /sessions", { type: "any" }],
    ["GET /sessions/session_1", session("session_1", 421)],
    ["POST /sessions/session_1/say", session("session_1", 421)],
    ["DELETE /sessions/session_1", session("session_1", 421)],
    ["GET /playground/events?session=session_1", session("session_1")],
    ["POST /playground/interrupt", session()],
    ["POST /webhooks/livekit", { type: "webhook" }],
    ["GET /", { type: "any" }],
    ["GET /readyz", { type: "any" }],
    ["POST /token", { type: "any" }],
    ["GET /sessionsx", { type: "any" }],
  ];
  for (const [request, route] of table) {
    it(`is that for ${request}`, () => {
      const [method = "", path] = request.split(" ");
      assertEquals(routeOf(method, new URL(`http://server${path}`)), route);
    });
  }
});

describe("the order of workers", () => {
  const worker = (
    name: string,
    {
      calls = 0,
      sent = 0,
      load = 0,
      takesCalls = true,
      isLate = false,
      state = "ready" as Candidate["state"],
    },
  ): Candidate => ({
    name,
    state,
    sent,
    isLate,
    report: {
      port: 1,
      rssBytes: 1,
      load,
      takesCalls,
      sessions: Array.from(
        { length: calls },
        (_, i) => ({ sessionId: `${name}-${i}`, room: `room-${name}` }),
      ),
      about: "",
      warnings: [],
    },
  });
  const names = (all: readonly Candidate[]) => all.map(({ name }) => name).join(" ");

  it("begins with who takes calls, and of those with who has the fewest, then the least load", () => {
    const all = [
      worker("leaving", { state: "leaving" }),
      worker("full", { takesCalls: false }),
      worker("late", { isLate: true, calls: 2 }),
      worker("three", { calls: 3 }),
      worker("sent", { calls: 1, sent: 1 }),
      worker("loaded", { calls: 1, load: 0.5 }),
      worker("one", { calls: 1, load: 0.4 }),
      { name: "new", state: "starting", sent: 0, report: undefined, isLate: false } as const,
    ];
    assertEquals(names(byCalls(all)), "one loaded sent three leaving full late");
  });

  it("puts those first that have what is asked for, and leaves the others as they are", () => {
    const all = [worker("a", {}), worker("b", {}), worker("c", { calls: 1 })];
    assertEquals(names(preferring(all, ({ report }) => report?.sessions.length === 1)), "c a b");
    assertEquals(names(preferring(all, () => false)), "a b c");
  });

  it("remembers so many and no more", () => {
    const known = memory<number>(2);
    for (const [i, key] of ["a", "b", "a", "c"].entries()) known.set(key, i);
    assertEquals(["a", "b", "c"].map((key) => known.get(key)), [2, undefined, 3]);
  });
});
