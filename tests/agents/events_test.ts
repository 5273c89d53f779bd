import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import registered, { eventsAgent, reportTo } from "../../agents/events.ts";
import { agents } from "../../agents/mod.ts";
import { StageError } from "../../src/errors.ts";
import type { SessionEvent } from "../../src/events.ts";
import { startCall, talk, timeToClose } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { scriptedTextToSpeech } from "../fakes/providers.ts";

describe("agents/events", () => {
  it("logs every event of its session, and reports every failure", async () => {
    const clock = fakeClock();
    const log = fakeLog();
    const reported: StageError[] = [];
    const agent = eventsAgent({ log, report: (error) => void reported.push(error) });
    const tts = scriptedTextToSpeech(["fail"], clock);
    const call = startCall(agent, { clock, providers: { tts } });
    const events: SessionEvent[] = [];
    const told = call.session.events().pipeTo(
      new WritableStream({ write: (event) => void events.push(event) }),
    );
    await call.joined;
    call.room.enter("caller");
    await talk(call, 6_000);
    assert(await timeToClose(call) < 100, "the session waited for its own events");
    await told;

    const logged = log.lines.map(({ message, fields }) => ({ type: message, ...fields }));
    const after = events.slice(events.length - logged.length).map((event) => ({
      sessionId: "session",
      ...event,
    }));
    assertEquals(logged, after.map(({ type, ...event }) => ({ type, ...event })));
    assertEquals(
      events.length - logged.length <= 1,
      true,
      "only what came before the agent's own code is missing",
    );
    const types = new Set(log.lines.map(({ message }) => message));
    for (const type of ["user-transcript", "turn-ended", "error", "agent-speech-committed", "closed"]) {
      assert(types.has(type), `${type} in ${[...types]}`);
    }
    assertEquals(reported.map(({ stage, message }) => [stage, message]), [["tts", "the voice failed"]]);
    assertEquals(clock.pending, 0);
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
