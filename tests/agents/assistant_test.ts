import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents, defaultAgent } from "../../agents/mod.ts";
import assistant from "../../agents/assistant.ts";
import { demoLanguageModel } from "../../src/llm/demo.ts";
import { scripted, testCall } from "../../src/testing.ts";

describe("agents/assistant", () => {
  it("greets, and answers what it is asked", async () => {
    await using call = await testCall(assistant, { llm: scripted(["Paris."]) });
    call.expect.said("Hello! How can I help you today?");
    await call.speak("What is the capital of France?");
    call.expect.said("Paris.");
    call.expect.noToolCall();
  });

  it("knows what time it is", async () => {
    await using call = await testCall(assistant, {
      llm: scripted([
        { toolCalls: [{ name: "getTime" }] },
        ({ messages }) => `It is ${messages.at(-1)?.content}.`,
      ]),
      tools: { getTime: () => "9:17 PM" },
    });
    await call.user("What time is it?");
    call.expect.toolCall("getTime");
    call.expect.said("It is 9:17 PM.");
  });

  it("asks its own clock without any key, too", async () => {
    await using call = await testCall(assistant, { llm: (clock) => demoLanguageModel({ clock }) });
    await call.user("What time is it?");
    call.expect.toolCall("getTime");
    call.expect.said(/^It is \d{1,2}:\d\d.[AP]M\.$/);
    await call.user("Tell me a long story.", { until: "speaking" });
    await call.wait(6_000);
    await call.interrupt("Stop.");
    call.expect.interrupted(/Once upon a time/);
    call.expect.said("All right, I stopped.");
  });

  it("is what answers where no agent is named", () => {
    assertEquals(agents[defaultAgent], assistant);
    assertMatch(assistant.instructions, /helpful assistant/);
  });
});
