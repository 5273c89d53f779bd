/** Recordings of sessions whose model hears and speaks by itself, on the emulator of its wire protocol. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { startRecorded } from "../../src/recording/start.ts";
import { tool } from "../../src/tool.ts";
import { startRealtimeCall } from "../realtime/call.ts";
import { decidedAgain, recordingLines } from "./recorded.ts";

const config = { endpointing: {}, interruption: {}, speculate: true };

describe("a recording of a model that hears and speaks, played again", () => {
  it("is decided the same", async () => {
    const lines = recordingLines();
    const lookUp = tool({ description: "Looks an order up", effect: "none", execute: () => "shipped" });
    {
      await using call = await startRealtimeCall({
        transcripts: ["Where is my order?", "Stop, please.", "Goodbye."],
        answer: (_, n) =>
          n === 0
            ? { text: "Let me look.", calls: [{ name: "lookUp" }] }
            : n === 1
            ? { text: "One two three four five six seven eight nine ten eleven twelve thirteen fourteen." }
            : { text: "All right." },
      }, {
        definition: { tools: { lookUp } },
        start: (options) => startRecorded(options, config, lines),
      });
      call.session.say("Hello there.");
      await call.until(() => call.all("agent-speech-committed").length === 1, "the greeting");
      call.speak();
      await call.until(() => call.all("tools-finished").length === 1, "the tool's result");
      await call.advance(2_500);
      call.speak();
      await call.until(() => call.all("turn-ended").length === 2, "the second answer");
      await call.ask();
      assertEquals(call.all("turn-ended").map(({ outcome }) => outcome), [
        "interrupted",
        "answered",
        "answered",
      ]);
    }
    const said = await decidedAgain(lines.read("the recording"));
    assert(said.some((line) => line.includes('user\'s turn ended with "Stop, please. Goodbye."')));
    assert(said.some((line) => line.includes("turn-1 was interrupted")));
  });

  it("fails where its connection was lost, and goes on with another", async () => {
    const lines = recordingLines();
    {
      await using call = await startRealtimeCall({
        transcripts: ["First.", "Second."],
        answer: (_, n) => n === 0 ? { text: "One two three four.", then: "drop" } : { text: "The second." },
      }, { start: (options) => startRecorded(options, config, lines) });
      await call.ask();
      await call.until(() => call.said().at(-1)?.startsWith("assistant: Sorry"), "the apology");
      await call.ask();
    }
    const said = await decidedAgain(lines.read("the recording"));
    assert(said.some((line) => line.includes("turn-1 was failed")));
    assert(said.some((line) => line.includes("turn-2 was answered")));
  });
});
