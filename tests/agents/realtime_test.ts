import { describe, it } from "@std/testing/bdd";
import realtime from "../../agents/realtime.ts";
import { scripted, testCall } from "../../src/testing.ts";

describe("agents/realtime", () => {
  it("greets, and looks at the clock when it is asked for the time", async () => {
    const llm = scripted([
      "Hello! What can I do?",
      { toolCalls: [{ name: "clock" }] },
      "It is noon in London.",
    ]);
    await using call = await testCall(realtime, { llm });
    call.expect.said(/Hello/);
    await call.user("What time is it in London?");
    call.expect.toolCall("clock");
    call.expect.said(/noon/);
  });
});
