import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import registered, { eventsAgent, reportTo } from "../../agents/events.ts";
import { agents } from "../../agents/mod.ts";
import { StageError } from "../../src/errors.ts";
import { scripted, testCall } from "../../src/testing.ts";
import { fakeLog } from "../fakes/log.ts";

describe("agents/events", () => {
  it("logs every event of its session, and reports every failure", async () => {
    const log = fakeLog();
    const reported: StageError[] = [];
    const agent = eventsAgent({ log, report: (error) => void reported.push(error) });
    await using call = await testCall(agent, {
      llm: scripted(["Nobody hears this.", "Good day to you."]),
      voicings: ["fail"],
    });
    await call.user("Hello?");
    call.expect.error("the voice failed");
    await call.user("Hello again.");
    call.expect.said("Good day to you.");
    const beganMs = call.clock.now();
    await call.hangUp();
    assert(call.clock.now() - beganMs < 100, "the session waited for its own events");

    const logged = log.lines.map(({ message, fields }) => ({ type: message, ...fields }));
    const unlogged = call.events.length - logged.length;
    assert(unlogged <= 1, "only what came before the agent's own code may be missing");
    const { id: sessionId } = call.session;
    const all = call.events.slice(unlogged).map(({ type, ...event }) => ({ type, sessionId, ...event }));
    assertEquals(logged, all);
    const types = new Set(log.lines.map(({ message }) => message));
    for (const type of ["user-speech-committed", "turn-ended", "error", "agent-speech-committed", "closed"]) {
      assert(types.has(type), `${type} in ${[...types]}`);
    }
    assertEquals(reported.map(({ stage, message }) => [stage, message]), [["tts", "the voice failed"]]);
  });

  it("reports to a monitor over HTTP, and says when that does not take it", async () => {
    const bodies: unknown[] = [];
    const monitor = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      bodies.push([request.method, request.headers.get("content-type"), await request.json()]);
      return new Response(null, { status: bodies.length === 1 ? 204 : 500 });
    });
    const url = `http://127.0.0.1:${monitor.addr.port}/errors`;
    const report = reportTo(url);
    const error = new StageError("stt", "Deepgram cannot be reached", { retryable: true });
    await report(error);
    assertEquals(bodies, [
      ["POST", "application/json", { stage: "stt", message: "Deepgram cannot be reached", retryable: true }],
    ]);
    const failure = await Promise.resolve(report(error)).catch(String);
    assertEquals(failure, `Error: the monitor at ${url} answered 500`);
    await monitor.shutdown();
  });

  it("is in the registry", () => assertEquals(agents.events, registered));
});
