import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { startRealtimeCall } from "./call.ts";

describe("a call with a model that hears and speaks", () => {
  it("greets, and answers a question by its sound", async () => {
    await using call = await startRealtimeCall({ transcripts: ["Where is my order?"] });
    call.session.say("Hello there.");
    await call.until(() => call.all("agent-speech-committed").length === 1, "the greeting");
    await call.ask();
    console.log(call.events.map((e) => JSON.stringify(e)).join("\n"));
    console.log(JSON.stringify(call.emulator.connections[0]?.refused), call.emulator.connections.length);
    assertEquals(call.said(), [
      "assistant: Hello there.",
      "user: Where is my order?",
      "assistant: You said: Where is my order?",
    ]);
  });
});
