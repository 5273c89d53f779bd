/** The dispatcher where rooms are LiveKit's: every session belongs to a room's SID, not to its name. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher, type DispatchRequest } from "../../src/dispatch/dispatcher.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";
import { fakeSessions } from "../fakes/session.ts";

const assistant = defineAgent({ instructions: "Be brief." });

function setUp({ maxSessions = 5 } = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  const { started, start } = fakeSessions();
  const facts: string[] = [];
  const dispatcher = createDispatcher({
    agents: { assistant, other: assistant },
    defaultAgent: "assistant",
    start,
    onSession: (_session, { roomSid }) => void facts.push(roomSid),
    rooms,
    maxSessions,
    clock,
    log,
  });
  /** Dispatches and lets the agent arrive, in the room that it is sent to. */
  const connect = async (request: DispatchRequest) => {
    const result = dispatcher.dispatch(request);
    await clock.settle();
    const last = started.at(-1);
    last?.arrive({ id: last.request.roomSid });
    return await result;
  };
  return { clock, log, rooms, started, facts, dispatcher, connect };
}

describe("a claim", () => {
  it("is made for the room's SID, which is asked for once, and known to the session", async () => {
    const { rooms, connect, started, facts, dispatcher } = setUp();
    const sid = rooms.open("r");
    assertEquals((await connect({ room: "r" })).type, "created");
    assertEquals(rooms.asked, ["ensure r"]);
    assertEquals([started[0]?.request.roomSid, facts], [sid, [sid]]);
    assertEquals((await dispatcher.dispatch({ room: "r" })).type, "existing");
  });

  it("is made at once for an SID that is given, whose room is never made anew", async () => {
    const { rooms, started, dispatcher, clock } = setUp();
    const ticket = { sessionId: "session_of-the-ticket", token: "jwt" };
    const answer = dispatcher.dispatch({ room: "r", roomSid: "RM_1", ticket });
    await clock.settle();
    const { id, roomSid, ticket: given } = started[0]?.request ?? {};
    assertEquals([id, roomSid, given, rooms.asked], ["session_of-the-ticket", "RM_1", ticket, []]);
    started[0]?.arrive({ id: "RM_2" });
    assertEquals((await answer).type, "failed");
    assertEquals([started.length, rooms.asked], [1, []]);
  });

  it("asks once for simultaneous dispatches, and starts one session", async () => {
    const { rooms, dispatcher, started, clock } = setUp();
    const answers = Array.from({ length: 5 }, () => dispatcher.dispatch({ room: "r" }));
    await clock.settle();
    started[0]?.arrive();
    const types = (await Promise.all(answers)).map(({ type }) => type);
    assertEquals(types, ["created", "existing", "existing", "existing", "existing"]);
    assertEquals([started.length, rooms.asked], [1, ["ensure r"]]);
  });

  it("of a room that ended does not stand in the way of the next of its name", async () => {
    const { rooms, connect, started, dispatcher } = setUp();
    await connect({ room: "r" });
    rooms.close("r");
    assertEquals((await connect({ room: "r" })).type, "created");
    assertEquals(started.map(({ request }) => request.roomSid), ["RM_1", "RM_2"]);
    assertEquals(dispatcher.sessions.length, 2);
  });

  it("goes with an agent that has joined again by itself after LiveKit restarted", async () => {
    const { rooms, connect, started, dispatcher } = setUp();
    await connect({ room: "r" });
    rooms.close("r");
    rooms.enter("r", `agent-${started[0]?.request.id}`, { canTalk: false });
    assertEquals((await dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals(started.length, 1);
  });

  it("is free as soon as there is nobody left to talk with, while the session says its farewell", async () => {
    const { connect, started, rooms, dispatcher, clock } = setUp();
    const result = dispatcher.dispatch({ room: "r" });
    await clock.settle();
    const closed = new AbortController();
    started[0]?.arrive({ id: rooms.open("r"), closed, witnesses: new Set(["PA_1"]) });
    await result;
    closed.abort("participant-left");
    assertEquals(await dispatcher.presence.endings("RM_1"), [
      { agent: "assistant", reason: "participant-left", witnesses: new Set(["PA_1"]) },
    ]);
    assertEquals((await connect({ room: "r" })).type, "created");
    started[0]?.end("participant-left");
    await clock.settle();
    assertEquals(dispatcher.sessions.map(({ sessionId }) => sessionId), [started[1]?.request.id]);
  });

  it("fails in words when LiveKit cannot be reached", async () => {
    const { rooms, dispatcher, started } = setUp();
    rooms.failing = 1;
    assertEquals(await dispatcher.dispatch({ room: "r" }), {
      type: "failed",
      reason: "LiveKit at ws://l could not be reached: refused",
    });
    assertEquals(started.length, 0);
  });

  it("makes no room for who would be refused", async () => {
    const { rooms, connect, dispatcher } = setUp({ maxSessions: 1 });
    await connect({ room: "r" });
    assertEquals((await dispatcher.dispatch({ room: "s" })).type, "full");
    assertEquals((await dispatcher.dispatch({ room: "r" })).type, "existing");
    void dispatcher.drain({ budgetMs: 0 });
    assertEquals((await dispatcher.dispatch({ room: "s" })).type, "draining");
    assertEquals(rooms.asked, ["ensure r", "ensure r"]);
  });

  it("brings no room into question that a dispatch brings itself", async () => {
    const { rooms, dispatcher, started } = setUp();
    const answer = dispatcher.dispatch({ room: "page-1", join: () => Promise.reject(new Error("unused")) });
    started[0]?.arrive({ id: "page" });
    assertEquals([(await answer).type, rooms.asked], ["created", []]);
    assertEquals([dispatcher.presence.visits, await dispatcher.presence.endings("page-1")], [[], []]);
  });
});

describe("an agent that comes to another room than it was sent to", () => {
  it("leaves it, and is sent there anew", async () => {
    const { rooms, dispatcher, started, clock, log } = setUp();
    const answer = dispatcher.dispatch({ room: "r" });
    await clock.settle();
    rooms.close("r");
    started[0]?.arrive({ id: rooms.open("r") });
    await clock.settle();
    assertEquals(started[0]?.closes[0], "room-deleted");
    started[1]?.arrive({ id: "RM_2" });
    const result = await answer;
    assertEquals(result.type === "created" && result.session.sessionId, started[1]?.request.id);
    assertEquals(dispatcher.sessions.length, 1);
    assertEquals(log.lines.map(({ level, message }) => [level, message]), [
      ["info", "session ended"],
      ["info", "the room was replaced by another of its name: the agent is sent on"],
      ["info", "agent joined"],
    ]);
  });

  it("is sent anew also when the answer was given before", async () => {
    const { rooms, dispatcher, started, clock } = setUp();
    const answer = dispatcher.dispatch({ room: "r" });
    await clock.advance(2_000);
    await answer;
    rooms.close("r");
    started[0]?.arrive({ id: rooms.open("r") });
    await clock.settle();
    assertEquals(started[1]?.request.roomSid, "RM_2");
    started[1]?.arrive({ id: "RM_2" });
    await clock.settle();
    assertEquals(clock.pending, 0);
  });

  it("gives up in words when rooms come and go all the time", async () => {
    const { rooms, dispatcher, started, clock } = setUp();
    const answer = dispatcher.dispatch({ room: "r" });
    for (let i = 0; i < 3; i++) {
      await clock.settle();
      rooms.close("r");
      started[i]?.arrive({ id: rooms.open("r") });
    }
    assertEquals(await answer, {
      type: "failed",
      reason: 'the room "r" ended while the agent was on its way',
    });
    assertEquals(started.length, 3);
  });

  it("is not sent anew when it was for that one room", async () => {
    const { rooms, dispatcher, started, clock } = setUp();
    rooms.open("r");
    const found = await rooms.find("r");
    const answer = dispatcher.dispatch({ room: "r", ...(found && { found }) });
    started[0]?.arrive({ id: "RM_9" });
    assertEquals((await answer).type, "failed");
    await clock.settle();
    assertEquals(started.length, 1);
  });
});

describe("a session that its room asked for", () => {
  it("is good for a dispatch for the one who was there, before it talks with them", async () => {
    for (const [others, type] of [[[], "existing"], [["ben"], "conflict"]] as const) {
      const { rooms, dispatcher, started } = setUp();
      for (const identity of ["ann", ...others]) rooms.enter("r", identity);
      rooms.enter("r", "EG_1", { canTalk: false });
      const found = await rooms.find("r");
      const sent = dispatcher.dispatch({ room: "r", ...(found && { found }) });
      started[0]?.arrive({ id: rooms.open("r") });
      await sent;
      assertEquals((await dispatcher.dispatch({ room: "r", participant: "ann" })).type, type);
    }
  });

  const asked: [string, Partial<DispatchRequest>, string][] = [
    ["no wishes", {}, "existing"],
    ["the same metadata", { metadata: "m" }, "existing"],
    ["whom it talks with", { participant: "ann" }, "existing"],
    ["other metadata", { metadata: "n" }, "conflict"],
    ["another participant", { participant: "ben" }, "conflict"],
  ];
  for (const [what, wishes, type] of asked) {
    it(`is ${type === "existing" ? "good" : "none"} for a dispatch with ${what}`, async () => {
      const { rooms, dispatcher, started } = setUp();
      const id = rooms.open("r", "m");
      const found = await rooms.find("r");
      const sent = dispatcher.dispatch({ room: "r", metadata: "m", ...(found && { found }) });
      started[0]?.arrive({ id, participant: "ann" });
      await sent;
      assertEquals((await dispatcher.dispatch({ room: "r", ...wishes })).type, type);
    });
  }
});
