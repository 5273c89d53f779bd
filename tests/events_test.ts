/** What the events of a session tell, and that the documents name them as they are. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { eventTypes, type SessionEvent, type SessionEventOf } from "../src/events.ts";
import { startCall, talk, timeToClose } from "./fakes/call.ts";
import { microphoneFrame } from "./fakes/speech.ts";

const read = (path: string) => Deno.readTextFile(new URL(`../${path}`, import.meta.url));
/** What stands in backquotes in a cell of a table. */
const namesIn = (cell = "") => [...cell.matchAll(/`([a-z_-]+)`/g)].map(([, name = ""]) => name);

describe("the events of a session", () => {
  it("have what the answer to a turn took, behind its end", async () => {
    const call = startCall();
    const events = Array.fromAsync(call.session.events());
    call.room.enter("caller");
    await talk(call, 5_000);
    await timeToClose(call);
    const types = (await events).map(({ type }) => type);
    assertEquals(types[types.indexOf("turn-ended") + 1], "turn-metrics");
    const metrics = (await events).filter((event) => event.type === "turn-metrics");
    const started = (await events).find((event) => event.type === "agent-started-speaking");
    assertEquals(
      metrics.map(({ turnId, steps, characters, latency }) => [turnId, steps, characters, latency]),
      [
        ["turn-1", 0, "Good day to you.".length, started?.latency],
      ],
    );
    assert((metrics[0]?.audioMs ?? 0) > 500);
  });

  it("tell of the voice that was dropped", async () => {
    const call = startCall();
    const events = Array.fromAsync(call.session.events());
    await call.joined;
    call.room.enter("caller");
    for (let atMs = 0; atMs < 60_000; atMs += 20) call.room.hear(microphoneFrame(atMs, false)); // all at once
    await timeToClose(call);
    const dropped = (await events).flatMap((event) => event.type === "microphone-dropped" ? [event.ms] : []);
    assertEquals(dropped, [call.room.droppedMs]);
    assert(call.room.droppedMs > 0);
  });

  it("can each be handled by its type", () => {
    // A member of the union with two types would be handled by neither.
    type Unhandled = {
      [Type in SessionEvent["type"]]: [SessionEventOf<Type>] extends [never] ? Type : never;
    }[SessionEvent["type"]];
    const unhandled: Unhandled[] = [];
    const none: never[] = unhandled;
    assertEquals(none, []);
  });
});

describe("the documents", () => {
  it("have every event", async () => {
    const rows = (await read("docs/events.md")).matchAll(/^\| (`[^|]+`) +\|/gm);
    const documented = [...rows].flatMap(([, cell]) => namesIn(cell));
    assertEquals(documented.toSorted(), [...eventTypes].toSorted());
  });

  it("name events that there are for every name of LiveKit Agents", async () => {
    const rows = (await read("README.md")).matchAll(/^\| (`[a-z_]+`[^|]*) +\| (`[a-z-]+`[^|]*) +\|.*\|$/gm);
    const table = [...rows].map(([, theirs, ours]) => [namesIn(theirs), namesIn(ours)] as const);
    for (const [theirs, ours] of table) {
      assert(ours.length > 0, theirs.join());
      for (const name of ours) assert(eventTypes.has(name), `${name}, for ${theirs}`);
    }
    const theirs = new Set(table.flatMap(([theirs]) => theirs));
    // https://docs.livekit.io/reference/agents/events and, of 0.x, https://docs.livekit.io/agents/start/v0-migration
    const known = `user_started_speaking user_stopped_speaking agent_started_speaking agent_stopped_speaking
      user_speech_committed agent_speech_committed agent_speech_interrupted function_calls_collected
      function_calls_finished error user_state_changed agent_state_changed user_input_transcribed
      conversation_item_added function_tools_executed metrics_collected session_usage_updated speech_created
      agent_false_interruption close`.split(/\s+/);
    assertEquals([...theirs].toSorted(), known.toSorted());
  });
});
