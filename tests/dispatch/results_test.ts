import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher, type DispatchResult } from "../../src/dispatch/dispatcher.ts";
import { tellingResults } from "../../src/dispatch/results.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { fakeSessions } from "../fakes/session.ts";

describe("tellingResults", () => {
  it("tells each dispatch's result, and is the same dispatcher otherwise", async () => {
    const clock = fakeClock();
    const { started, start } = fakeSessions();
    const results: DispatchResult["type"][] = [];
    const dispatcher = tellingResults(
      createDispatcher({
        agents: { assistant: defineAgent({ instructions: "Be brief." }) },
        defaultAgent: "assistant",
        maxSessions: 1,
        clock,
        log,
        start(request) {
          const session = start(request);
          started.at(-1)?.arrive();
          return session;
        },
      }),
      ({ type }) => results.push(type),
    );
    assertEquals([dispatcher.refusal, dispatcher.sessions.length], [undefined, 0]);
    assertEquals((await dispatcher.dispatch({ room: "r" })).type, "created");
    assertEquals((await dispatcher.dispatch({ room: "s" })).type, "full");
    assertEquals((await dispatcher.dispatch({ room: "r", agent: "nobody" })).type, "unknown-agent");
    assertEquals([dispatcher.refusal?.type, dispatcher.sessions.length], ["full", 1]);
    assertEquals(await dispatcher.drain({ budgetMs: 0 }), 0);
    assertEquals(dispatcher.refusal?.type, "draining");
    assertEquals((await dispatcher.dispatch({ room: "r" })).type, "draining");
    assertEquals(results, ["created", "full", "unknown-agent", "draining"]);
  });
});
