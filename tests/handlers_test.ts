/** An agent's handlers of events, in whole calls. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../src/agent.ts";
import type { EventHandlers } from "../src/handlers.ts";
import { startCall, talk, timeToClose } from "./fakes/call.ts";
import { fakeLog } from "./fakes/log.ts";

/** A call in which the user says something and is answered; ended by nobody. */
async function callWith(on: EventHandlers) {
  const log = fakeLog();
  const call = startCall({ on }, { log });
  call.room.enter("caller");
  await talk(call, 5_000);
  const errors = () => log.lines.filter(({ level }) => level !== "info" && level !== "debug");
  return { call, errors };
}

describe("an agent's handlers of events", () => {
  it("are told of each event of theirs in order, with what entry is handed", async () => {
    const told: string[] = [];
    const { call, errors } = await callWith({
      "user-speech-committed": ({ text, turnId }) => void told.push(`${turnId}: ${text}`),
      "agent-speech-committed": ({ text }, { room }) => void told.push(`${text} in ${room.name}`),
      "turn-ended": ({ outcome }, { session }) =>
        void told.push(`${outcome} after ${session.history.length}`),
      "closed": ({ reason }) => void told.push(reason),
    });
    await timeToClose(call);
    assertEquals(told, [
      "turn-1: hello there",
      "Good day to you. in room",
      "answered after 2",
      "closed",
    ]);
    assertEquals(errors(), []);
  });

  it("may have the session do something", async () => {
    let asked = false;
    const { call } = await callWith({
      "turn-ended": (_, { session }) => {
        if (!asked) session.say("Is there anything else?");
        asked = true;
      },
    });
    assertEquals(call.session.history.flatMap((item) => item.type === undefined ? [item.text] : []), [
      "hello there",
      "Good day to you.",
      "Is there anything else?",
    ]);
    await timeToClose(call);
  });

  it("are called when what has happened is over", async () => {
    const states: string[] = [];
    const { call } = await callWith({ "turn-ended": (_, { session }) => states.push(session.state) });
    assertEquals(states, ["listening"]); // at the event itself the agent is still "speaking"
    await timeToClose(call);
  });

  it("that throw are logged, and change nothing", async () => {
    const { call, errors } = await callWith({
      "user-speech-committed": () => {
        throw new Error("at once");
      },
      "agent-speech-committed": () => Promise.reject(new Error("later")),
      "error": () => assert(false, "no failure of the session's"),
    });
    assertEquals(call.session.history.length, 2);
    assertEquals(
      errors().map(({ level, fields: { error, type } }) => [level, type, (error as Error).message]),
      [["error", "user-speech-committed", "at once"], ["error", "agent-speech-committed", "later"]],
    );
    await timeToClose(call);
    assertEquals(await call.session.done, "closed");
  });

  it("are waited for by the session's end, and by nothing before it", async () => {
    const order: string[] = [];
    const { call } = await callWith({
      "closed": async () => {
        await call.clock.sleep(500);
        order.push("handled");
      },
    });
    const done = call.session.done.then(() => order.push("done"));
    await call.session.close().then(() => order.push("closed"));
    await call.clock.advance(500);
    await done;
    assertEquals(order, ["closed", "handled", "done"]);
    assertEquals(call.clock.pending, 0);
  });

  it("may end the session, and wait for that", async () => {
    const { call, errors } = await callWith({ "turn-ended": (_, { session }) => session.close() });
    assertEquals([await call.session.done, errors().length], ["closed", 0]);
    assertEquals(call.clock.pending, 0);
  });

  it("that hang are left behind after 4 s", async () => {
    const { call, errors } = await callWith({ "user-speech-committed": () => new Promise<void>(() => {}) });
    const done = call.session.done;
    await call.session.close();
    await call.clock.advance(4_000);
    assertEquals(await done, "closed");
    assertEquals(errors().map(({ message }) => message), [
      "handlers of events did not end with their session",
    ]);
    assertEquals(call.clock.pending, 0);
  });

  it("are refused for events that there are not", () => {
    const instructions = "Be brief.";
    const mistyped: object = { "user-speech-commited": () => {} };
    assertThrows(
      () => defineAgent({ instructions, on: mistyped }),
      /^TypeError: defineAgent\(\): on has "user-speech-commited"; expected types of events/,
    );
    const none = { closed: "now" } as object;
    assertThrows(
      () => defineAgent({ instructions, on: none }),
      /on\["closed"\] is string; expected a function/,
    );
  });
});
