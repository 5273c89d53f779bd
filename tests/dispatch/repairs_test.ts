/** Dispatches that LiveKit has lost, and those that it has not, on LiveKit's rooms in memory. */
import { assertEquals } from "@std/assert";
import { afterEach, describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { automaticDispatches } from "../../src/dispatch/automatic.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { createRepairs, type Repairs } from "../../src/dispatch/repairs.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import type { Store } from "../../src/dispatch/store/store.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { type FakeRooms, fakeRooms } from "../fakes/rooms.ts";
import { type FakeSession, fakeSessions } from "../fakes/session.ts";

const agent = defineAgent({ instructions: "Be brief." });
const agents = { support: agent, sales: agent };
/** By then every lost dispatch is made good. */
const soonMs = 5_000;

const running: Repairs[] = [];
afterEach(async () => {
  for (const repairs of running.splice(0)) await repairs[Symbol.asyncDispose]();
});

/** A process that looks; those of one LiveKit share `clock`, `rooms` and perhaps a store. */
function setUp(
  { clock = fakeClock(), rooms = fakeRooms(), store = memoryStore({ clock }), ...options }: {
    readonly clock?: FakeClock;
    readonly rooms?: FakeRooms;
    readonly store?: Store;
    readonly autoAgent?: string;
    readonly maxSessions?: number;
    /** Whether a process has the claim, where several share them. */
    readonly claimed?: boolean;
  } = {},
) {
  const { autoAgent, maxSessions = 1_000, claimed } = options;
  const log = fakeLog();
  const { started, start } = fakeSessions();
  const dispatcher = createDispatcher({
    agents,
    defaultAgent: "support",
    start(request) {
      const session = start(request) as FakeSession;
      queueMicrotask(() => session.arrive({ id: request.roomSid })); // joining is never at once
      return session;
    },
    rooms,
    maxSessions,
    clock,
    log,
  });
  const outcomes: string[] = [];
  const facts = { dispatcher, rooms, agents: Object.keys(agents), autoAgent, clock, log };
  const repairs = createRepairs({
    ...facts,
    automatic: automaticDispatches({ ...facts, presence: dispatcher.presence }),
    store,
    claimed: claimed === undefined ? undefined : () => Promise.resolve(claimed),
    onRepair: ({ outcome }) => void outcomes.push(outcome),
  });
  repairs.start();
  running.push(repairs);
  const sent = () => started.map(({ request: { agentName, metadata } }) => `${agentName} ${metadata}`.trim());
  return { clock, rooms, store, log, dispatcher, started, sent, outcomes };
}

describe("a dispatch that LiveKit has lost", () => {
  it("is made good within 5 s, and once, however often its session ends", async () => {
    const { clock, rooms, sent, started, outcomes } = setUp();
    rooms.enter("r", "ada");
    await clock.advance(700);
    rooms.dispatch("r", { agent: "sales", metadata: "m" });
    await clock.advance(soonMs);
    assertEquals([sent(), outcomes], [["sales m"], ["created"]]);
    started[0]?.end("deleted");
    await clock.advance(60_000);
    assertEquals(sent(), ["sales m"]);
  });

  const cases: Record<
    string,
    { readonly set: (rooms: FakeRooms) => void; readonly sent: readonly string[] }
  > = {
    "is made good in a room where nobody is": {
      set: (rooms) => rooms.dispatch("r", { agent: "sales" }),
      sent: ["sales"],
    },
    "is made good whose job's agent is not in the room": {
      set(rooms) {
        rooms.enter("r", "ada");
        rooms.dispatch("r", { agent: "sales", jobs: [{ identity: "agent-1", ended: false }] });
      },
      sent: ["sales"],
    },
    "is made good beside one that another agent serves": {
      set(rooms) {
        rooms.enter("r", "agent-1", { canTalk: false, agentName: "support" });
        rooms.dispatch("r", { agent: "support" });
        rooms.dispatch("r", { agent: "sales" });
      },
      sent: ["sales"],
    },
    "is not made good when an agent of that name is in the room": {
      set(rooms) {
        rooms.dispatch("r", { agent: "sales" });
        rooms.enter("r", "agent-1", { canTalk: false, agentName: "sales" });
      },
      sent: [],
    },
    "is not made good when the job's participant is in the room": {
      set(rooms) {
        rooms.dispatch("r", { agent: "sales", jobs: [{ identity: "agent-1", ended: false }] });
        rooms.enter("r", "agent-1", { canTalk: false });
      },
      sent: [],
    },
    "is not made good when the job has ended": {
      set(rooms) {
        rooms.enter("r", "ada");
        rooms.dispatch("r", { agent: "sales", jobs: [{ identity: "agent-1", ended: true }] });
      },
      sent: [],
    },
    "is not made good when the job's agent has gone and nobody is left": {
      set: (rooms) => rooms.dispatch("r", { agent: "sales", jobs: [{ identity: "agent-1", ended: false }] }),
      sent: [],
    },
    "is not made good when it is of somebody else's agent": {
      set: (rooms) => rooms.dispatch("r", { agent: "somebody" }),
      sent: [],
    },
    "is not made good when it is of no name and there is no AUTO_AGENT": {
      set: (rooms) => rooms.dispatch("r", { agent: "" }),
      sent: [],
    },
  };
  for (const [name, { set, sent: expected }] of Object.entries(cases)) {
    it(name, async () => {
      const { clock, rooms, sent } = setUp();
      set(rooms);
      await clock.advance(20_000);
      assertEquals(sent(), expected);
    });
  }

  it("is made good by AUTO_AGENT where it is of no name, unless the room was dispatched another", async () => {
    const { clock, rooms, sent } = setUp({ autoAgent: "support" });
    rooms.enter("r", "ada");
    rooms.dispatch("r", { agent: "" });
    rooms.dispatch("other", { agent: "" });
    rooms.dispatch("other", { agent: "somebody" });
    await clock.advance(soonMs);
    assertEquals(sent(), ["support"]);
  });

  for (const [claimed, expected] of [[true, []], [false, ["sales"]]] as const) {
    it(`${claimed ? "is not" : "is"} one whose agent is there and has ${claimed ? "its" : "no"} claim`, async () => {
      const { clock, rooms, sent } = setUp({ claimed });
      rooms.enter("r", "ada");
      rooms.enter("r", "agent-session_1", { canTalk: false, agentName: "sales" });
      rooms.dispatch("r", { agent: "sales" });
      await clock.advance(20_000);
      assertEquals(sent(), [...expected]);
    });
  }

  it("is left to the worker that takes it a moment later", async () => {
    const { clock, rooms, sent, dispatcher, outcomes } = setUp();
    await clock.advance(1_400);
    rooms.dispatch("r", { agent: "sales" });
    await clock.advance(400);
    await Promise.all([dispatcher.dispatch({ room: "r", agent: "sales" }), clock.settle()]);
    await clock.advance(20_000);
    assertEquals([sent().length, outcomes], [1, []]);
  });

  it("is not one whose session was there and has ended, though somebody is left", async () => {
    const { clock, rooms, sent, started, dispatcher } = setUp();
    rooms.enter("r", "ada");
    rooms.dispatch("r", { agent: "sales" });
    await Promise.all([dispatcher.dispatch({ room: "r", agent: "sales" }), clock.settle()]);
    started[0]?.end("deleted");
    await clock.advance(20_000);
    assertEquals(sent(), ["sales"]);
  });

  it("waits while there is no place, and until LiveKit answers", async () => {
    const { clock, rooms, sent, started, dispatcher, log } = setUp({ maxSessions: 1 });
    await Promise.all([dispatcher.dispatch({ room: "full" }), clock.settle()]);
    rooms.dispatch("r", { agent: "sales" });
    await clock.advance(10_000);
    assertEquals(sent(), ["support"]);
    rooms.failing = 3;
    started[0]?.end("closed");
    await clock.advance(10_000);
    assertEquals(sent(), ["support", "sales"]);
    const warned = log.lines.filter(({ message }) =>
      message.startsWith("LiveKit's rooms could not be looked at")
    );
    assertEquals(warned.length, 1);
  });
});

describe("processes that share a store", () => {
  it("look one at a time, and repair once, whoever ends", async () => {
    const clock = fakeClock();
    const rooms = fakeRooms();
    const store = memoryStore({ clock });
    const [first, second] = [setUp({ clock, rooms, store }), setUp({ clock, rooms, store })];
    await clock.advance(9_000);
    const looks = rooms.asked.filter((question) => question === "list").length;
    assertEquals(looks, 7);
    rooms.enter("r", "ada");
    rooms.dispatch("r", { agent: "sales" });
    await clock.advance(soonMs);
    assertEquals([...first.sent(), ...second.sent()], ["sales"]);

    first.started[0]?.end("error");
    await running[0]?.[Symbol.asyncDispose]();
    rooms.dispatch("s", { agent: "support" });
    await clock.advance(2 * soonMs);
    assertEquals([first.sent(), second.sent()], [["sales"], ["support"]]);
  });
});
