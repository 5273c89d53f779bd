/** Claims among processes: several dispatchers, one store, and a LiveKit in memory. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { DispatchRequest } from "../../src/dispatch/dispatcher.ts";
import { StoreError } from "../../src/dispatch/store/store.ts";
import { processes } from "../fakes/processes.ts";
import { snapshot } from "../resume/snapshots.ts";

describe("a claim among processes", () => {
  it("is one for simultaneous dispatches, which all are given the same session", async () => {
    const { clock, all, sessions } = processes({ count: 3 });
    const answers = all.flatMap(({ dispatcher }) => [1, 2, 3].map(() => dispatcher.dispatch({ room: "r" })));
    await clock.advance(200);
    assertEquals(sessions().length, 1);
    all.find(({ started }) => started.length > 0)?.arrive();
    await clock.advance(200);
    const results = await Promise.all(answers);
    const given = results.map((result) => "session" in result && result.session);
    assertEquals(new Set(given.map((session) => JSON.stringify(session))).size, 1);
    assertEquals(given[0] && given[0].state, "connected");
    assertEquals(results.filter(({ type }) => type === "created").length, 1);
    assertEquals(all.map(({ outcomes }) => outcomes.join()).sort(), [
      "held,held,held",
      "held,held,held",
      "taken",
    ]);
  });

  it("is another for another agent, another room, and the next room of the name", async () => {
    const { first, second, rooms } = processes();
    assertEquals((await first.connect({ room: "r" })).type, "created");
    assertEquals((await second.connect({ room: "r", agent: "other" })).type, "created");
    assertEquals((await second.connect({ room: "s" })).type, "created");
    rooms.close("r");
    assertEquals((await second.connect({ room: "r" })).type, "created");
  });

  for (const [reason, goesOn] of [["disconnected", true], ["removed", false], ["closed", false]] as const) {
    it(`is free when the room has ended with ${reason}, and who takes it ${goesOn ? "goes on" : "begins"}`, async () => {
      const { first, second, clock } = processes();
      const closed = new AbortController();
      void first.dispatcher.dispatch({ room: "r" });
      await clock.settle();
      first.arrive({ closed });
      await clock.settle();
      const [session] = first.started;
      await session?.request.keep?.(snapshot);
      closed.abort(reason);
      session?.end(reason);
      await clock.settle();
      assertEquals((await second.connect({ room: "r" })).type, "created");
      const [next] = second.started;
      assertEquals(next?.request.id === session?.request.id, goesOn);
      assertEquals(next?.request.left?.snapshot?.inCharge, goesOn ? snapshot.inCharge : undefined);
    });
  }

  it("answers after 2 s that the agent is on its way elsewhere; when it fails there it is sent from here", async () => {
    const { clock, first, second } = processes();
    void first.dispatcher.dispatch({ room: "r" });
    await clock.settle();
    const late = second.dispatcher.dispatch({ room: "r" });
    await clock.advance(2_100);
    const answer = await late;
    assertEquals([answer.type, "session" in answer && answer.session.state], ["existing", "connecting"]);

    const next = second.dispatcher.dispatch({ room: "r" });
    await clock.settle();
    first.started[0]?.refuse(new Error("no"));
    await clock.advance(100);
    assertEquals(second.started.length, 1);
    second.arrive();
    assertEquals((await next).type, "created");
  });

  it("is asked for once more when the answer is lost, and is then the own", async () => {
    const { first, second, clock } = processes();
    first.loseTaking();
    assertEquals((await first.connect({ room: "r" })).type, "created");
    await clock.advance(10_000);
    assertEquals((await second.dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals([first.outcomes, first.started[0]?.request.gate?.open], [["taken"], true]);
  });

  const wishes: [string, Partial<DispatchRequest>, Partial<DispatchRequest>, string][] = [
    ["the same", { metadata: "m", participant: "p" }, { metadata: "m", participant: "p" }, "existing"],
    ["other metadata", { metadata: "m" }, { metadata: "n" }, "conflict"],
    ["another participant", { participant: "p" }, { participant: "q" }, "conflict"],
  ];
  for (const [what, one, two, type] of wishes) {
    it(`is ${type === "existing" ? "good" : "none"} for a dispatch elsewhere with ${what}`, async () => {
      const { first, second } = processes();
      await first.connect({ room: "r", ...one });
      assertEquals((await second.dispatcher.dispatch({ room: "r", ...two })).type, type);
    });
  }

  it("is given up when the session ends, whose end the others know of", async () => {
    const { first, second, clock } = processes();
    await first.connect({ room: "r" });
    first.started[0]?.end("participant-left");
    await clock.settle();
    assertEquals(await second.dispatcher.presence.endings("RM_1"), [{
      sessionId: first.started[0]?.request.id,
      agent: "assistant",
      reason: "participant-left",
      witnesses: new Set(),
    }]);
    // The first agent has not left yet: it is known to be none.
    assertEquals((await second.connect({ room: "r" })).type, "created");
    assertEquals(await first.dispatcher.presence.endings("RM_1"), []);
  });

  it("is renewed for as long as the session lasts, and leaves no timer behind", async () => {
    const { first, second, clock } = processes();
    await first.connect({ room: "r" });
    await clock.advance(60_000);
    assertEquals((await second.dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals(first.started[0]?.request.gate?.open, true);
    first.started[0]?.end("deleted");
    await clock.advance(100);
    assertEquals(clock.pending, 0);
  });

  it("is dropped when the agent cannot be set up, or the process drains meanwhile", async () => {
    const { first, second, rooms, clock } = processes();
    const hold = Promise.withResolvers<void>();
    rooms.hold = hold.promise;
    const answer = first.dispatcher.dispatch({ room: "r" });
    await clock.settle();
    void first.dispatcher.drain({ budgetMs: 0 });
    hold.resolve();
    assertEquals((await answer).type, "draining");
    assertEquals((await second.connect({ room: "r" })).type, "created");
    assertEquals(first.started.length, 0);
  });
});

describe("a process that stood still", () => {
  it("is silent before it does anything else, and goes since another has its room by now", async () => {
    const { first, second, clock, rooms } = processes();
    await first.connect({ room: "r" });
    const [session] = first.started;
    let shut = 0;
    session?.request.gate?.onShut(() => shut++);
    first.process.stop();
    await clock.advance(3_100);
    const answer = second.dispatcher.dispatch({ room: "r" });
    await clock.advance(1_100);
    assertEquals(rooms.asked.filter((question) => question.startsWith("remove")), [
      `remove agent-${session?.request.id} from r`,
    ]);
    second.arrive();
    assertEquals((await answer).type, "created");

    assertEquals([session?.request.gate?.open, shut], [false, 0]);
    first.process.continue();
    assertEquals([session?.request.gate?.open, shut], [false, 1]);
    await clock.settle();
    assertEquals([session?.request.gate?.open, session?.closes], [false, ["claim-lost"]]);
    await clock.advance(10_000);
    assertEquals((await first.dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals(second.started[0]?.request.gate?.open, true);
    assertEquals(first.outcomes, ["taken", "lost", "held"]);
  });

  it("goes on when nobody has asked for its room", async () => {
    const { first, clock } = processes();
    await first.connect({ room: "r" });
    const gate = first.started[0]?.request.gate;
    first.process.stop();
    await clock.advance(30_000);
    assertEquals(gate?.open, false);
    first.process.continue();
    assertEquals(gate?.open, false);
    await clock.settle();
    assertEquals([gate?.open, first.started[0]?.closes], [true, []]);
  });

  it("goes on when it has taken its claim again, and was not told", async () => {
    const { first, second, clock } = processes();
    await first.connect({ room: "r" });
    const gate = first.started[0]?.request.gate;
    first.process.stop();
    await clock.advance(30_000);
    first.loseTaking();
    first.process.continue();
    await clock.advance(750);
    assertEquals([gate?.open, first.started[0]?.closes], [true, []]);
    await clock.advance(10_000);
    assertEquals((await second.dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals([gate?.open, first.started[0]?.closes], [true, []]);
  });

  it("does not trust what it sees of the room, where nobody else can be asked, before it has asked anew", async () => {
    const { first, clock } = processes();
    await first.connect({ room: "r" });
    const gate = first.started[0]?.request.gate;
    const answer = first.hang();
    await clock.advance(750); // it has asked
    first.process.stop();
    await clock.advance(10_000);
    first.process.continue();
    answer.reject(new StoreError("no answer"));
    await clock.settle();
    assertEquals(gate?.open, false);
    await clock.advance(750);
    assertEquals(gate?.open, true);
  });
});

describe("while the store is away", () => {
  it("sessions go on that see themselves alone in their rooms, and new ones fail in words", async () => {
    const { first, second, clock, setAway } = processes();
    await first.connect({ room: "r" });
    setAway(true);
    for (let i = 0; i < 60; i++) {
      await clock.advance(1_000);
      assertEquals(first.started[0]?.request.gate?.open, true);
    }
    assertEquals((await first.dispatcher.dispatch({ room: "r" })).type, "existing");
    assertEquals(await second.dispatcher.dispatch({ room: "s" }), {
      type: "failed",
      reason: "the store is away",
    });
    assertEquals([second.started.length, first.started[0]?.closes], [0, []]);
  });

  it("sessions are heard all the time, also when it takes its time to say nothing", async () => {
    const { first, clock } = processes();
    await first.connect({ room: "r" });
    const gate = first.started[0]?.request.gate;
    let shut = 0;
    gate?.onShut(() => shut++);
    for (let i = 0; i < 20; i++) {
      const answer = first.hang();
      await clock.advance(750 + 1_500);
      answer.reject(new StoreError("no answer"));
      await clock.settle();
    }
    assertEquals([gate?.open, shut], [true, 0]);
  });

  it("who is not alone is silent before its claim lapses", async () => {
    const { first, clock, setAway } = processes();
    const answer = first.dispatcher.dispatch({ room: "r" });
    await clock.settle();
    first.arrive({ isAlone: false });
    await answer;
    const gate = first.started[0]?.request.gate;
    let shut = 0;
    gate?.onShut(() => shut++);
    setAway(true);
    await clock.advance(2_499);
    assertEquals([gate?.open, shut], [true, 0]);
    await clock.advance(1);
    assertEquals([gate?.open, shut], [false, 1]);
    setAway(false);
    await clock.advance(750);
    assertEquals([gate?.open, first.started[0]?.closes], [true, []]);
  });

  it("sessions end, and what could not be told of them lapses", async () => {
    const { first, second, clock, setAway } = processes();
    await first.connect({ room: "r" });
    setAway(true);
    first.started[0]?.end("room-deleted");
    await clock.settle();
    assertEquals(first.dispatcher.sessions, []);
    setAway(false);
    await clock.advance(3_000);
    assertEquals((await second.connect({ room: "t" })).type, "created");
    assertEquals(clock.pending, 2); // the renewal and the lapse of the one that goes on
  });
});

describe("when the store is back", () => {
  for (const knows of ["all it knew", "nothing"]) {
    it(`and knows ${knows}, every session takes its claim again`, async () => {
      const { first, second, clock, setAway, wipe, sessions } = processes();
      await first.connect({ room: "r" });
      await second.connect({ room: "s" });
      setAway(true);
      await clock.advance(20_000);
      if (knows === "nothing") wipe();
      setAway(false);
      await clock.advance(800);
      assertEquals((await second.dispatcher.dispatch({ room: "r" })).type, "existing");
      assertEquals((await first.dispatcher.dispatch({ room: "s" })).type, "existing");
      assertEquals(sessions().length, 2);
    });

    it(`and knows ${knows}, who asks at once is given the session that is there`, async () => {
      const { first, second, clock, setAway, wipe } = processes();
      await first.connect({ room: "r" });
      const id = first.started[0]?.request.id;
      setAway(true);
      await clock.advance(20_100);
      if (knows === "nothing") wipe();
      setAway(false);
      first.state.away = true; // it is back a little later there
      const answer = second.dispatcher.dispatch({ room: "r" });
      await clock.advance(3_000);
      first.state.away = false;
      await clock.advance(1_000);
      const result = await answer;
      assertEquals([result.type, "session" in result && result.session.sessionId], ["existing", id]);
      assertEquals([second.started.length, second.outcomes], [0, ["left"]]);
      await clock.advance(10_000);
      assertEquals([first.started[0]?.request.gate?.open, first.started[0]?.closes], [true, []]);
    });
  }

  it("who finds its claim with another that has yet to decide takes nothing from it, and goes", async () => {
    const { first, second, clock, rooms, sessions } = processes();
    await first.connect({ room: "r" });
    first.state.away = true; // it alone cannot ask
    await clock.advance(3_100);
    rooms.leave("r", `agent-${first.started[0]?.request.id}`);
    const look = Promise.withResolvers<void>();
    const answer = second.dispatcher.dispatch({ room: "r", roomSid: "RM_1" });
    rooms.hold = look.promise;
    await clock.settle();
    first.state.away = false;
    await clock.advance(1_500);
    assertEquals(first.started[0]?.closes, []);
    look.resolve();
    await clock.settle();
    second.arrive();
    assertEquals((await answer).type, "created");
    await clock.advance(1_000);
    assertEquals(first.started[0]?.closes, ["claim-lost"]);
    assertEquals([sessions().length, second.started[0]?.request.gate?.open], [1, true]);
  });

  it("of two that have a room the one whose claim is the later stays", async () => {
    const { first, second, clock, setAway, wipe, rooms } = processes();
    await first.connect({ room: "r" });
    first.state.away = true; // it alone cannot ask, and sees nobody
    await clock.advance(3_100);
    rooms.leave("r", `agent-${first.started[0]?.request.id}`); // nor do others see it
    assertEquals((await second.connect({ room: "r" })).type, "created");
    setAway(true);
    wipe();
    setAway(false);
    second.state.away = true;
    await clock.advance(0);
    second.state.away = false;
    await clock.advance(5_000);
    const closes = [first, second].map(({ started }) => started[0]?.closes.length);
    assertEquals(closes.toSorted(), [0, 1]);
  });
});

describe("a room whose agent has died with its process", () => {
  it("has another in time", async () => {
    const { first, second, clock, sessions, rooms } = processes();
    await first.connect({ room: "r" });
    first.process.stop();
    await clock.advance(1_000);
    assertEquals((await second.dispatcher.dispatch({ room: "r" })).type, "existing");
    await clock.advance(2_100);
    const answer = second.dispatcher.dispatch({ room: "r" });
    await clock.advance(1_100);
    second.arrive();
    assertEquals((await answer).type, "created");
    const there = (await rooms.find("r"))?.participants.map(({ identity }) => identity);
    assertEquals(there, [`agent-${second.started[0]?.request.id}`]);
    assertEquals(sessions().length, 2);
  });
});
