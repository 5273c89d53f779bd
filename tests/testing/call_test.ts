/** What authors of agents test with. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as z from "zod";
import { type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { LanguageModel } from "../../src/llm/llm.ts";
import { scripted, type ScriptedReply, testCall, type TestCallOptions } from "../../src/testing.ts";
import { tool } from "../../src/tool.ts";

const story = "Once upon a time there was a lighthouse at the very end of the world, and its keeper was old.";

const lookupOrder = tool({
  description: "Looks an order up",
  parameters: z.object({ orderId: z.string().describe("Its number") }),
  effect: "none",
  execute: ({ orderId }) => `order ${orderId} is really shipped`,
});
const cancelOrder = tool({
  description: "Cancels an order",
  parameters: z.object({ orderId: z.string().describe("Its number") }),
  effect: "once",
  confirm: () => "Shall I cancel it?",
  execute: () => "cancelled",
});

function call(
  replies: readonly ScriptedReply[],
  { agent = {}, ...options }: TestCallOptions & { readonly agent?: Partial<AgentDefinition> } = {},
) {
  const shop = defineAgent({
    instructions: "You are a shop.",
    tools: { lookupOrder, cancelOrder },
    ...agent,
  });
  return testCall(shop, { llm: scripted(replies), ...options });
}

const lookUp = (orderId: string) => ({ toolCalls: [{ name: "lookupOrder", arguments: { orderId } }] });

describe("testCall()", () => {
  it("begins with what the agent says first", async () => {
    await using greeted = await call([], {
      agent: {
        async entry({ waitForParticipant, session, metadata }) {
          const { identity } = await waitForParticipant();
          session.say(`Hello, ${identity}, ${metadata}, ${session.userdata}.`);
        },
      },
      metadata: "gold",
      userdata: 7,
    });
    greeted.expect.said("Hello, caller, gold, 7.");
    greeted.expect.noToolCall();
    greeted.expect.state("listening");
  });

  it("rejects when the agent cannot be set up", async () => {
    const entry = () => {
      throw new Error("no database");
    };
    await assertRejects(() => call([], { agent: { entry } }), /no database/);
  });

  it("replaces tools, whose arguments are validated all the same", async () => {
    await using replaced = await call([lookUp("42"), "It is on its way.", {
      toolCalls: [{ name: "lookupOrder" }],
    }, "I need its number."], {
      tools: { lookupOrder: ({ orderId }) => `${orderId}: shipped` },
    });
    await replaced.user("Where is my order 42?");
    replaced.expect.toolCall("lookupOrder", { orderId: "42" });
    replaced.expect.toolCall("lookupOrder", { orderId: /^4/ });
    replaced.expect.noToolCall("cancelOrder");
    replaced.expect.said(/on its way/);
    const result = replaced.history.find((item) => item.type === "tool-result");
    assertEquals([result?.outcome, result?.content], ["done", "42: shipped"]);

    await replaced.user("And the other one?");
    replaced.expect.said("I need its number.");
    assertEquals(replaced.history.findLast((item) => item.type === "tool-result")?.outcome, "invalid");
  });

  it("has the agent's own tools do what they do, in real time", async () => {
    const slow = tool({
      description: "Takes real time",
      effect: "none",
      execute: () => new Promise((resolve) => setTimeout(() => resolve("done at last"), 100)),
    });
    await using own = await call([lookUp("42"), ({ messages }) => messages.at(-1)!.content, {
      toolCalls: [{ name: "slow" }],
    }, ({
      messages,
    }) => messages.at(-1)!.content], { agent: { tools: { lookupOrder, slow } } });
    await own.user("Where is it?");
    own.expect.said("order 42 is really shipped");
    const beganMs = own.clock.now();
    await own.user("Try harder.");
    own.expect.said("done at last");
    assert(own.clock.now() - beganMs < 2_000, "the call was ahead of its tool");
  });

  it("lets the replacement of a tool take time, and the user answer its question", async () => {
    const cancelled: unknown[] = [];
    const cancel = { toolCalls: [{ name: "cancelOrder", arguments: { orderId: "42" } }] };
    await using asked = await call([cancel, "It is cancelled.", cancel, "As you like."], {
      tools: {
        async cancelOrder({ orderId }, { sleep }) {
          await sleep(5_000);
          cancelled.push(orderId);
        },
      },
    });
    await asked.user("Cancel my order.", { until: "speaking" });
    await asked.user("Yes, please.");
    asked.expect.said("It is cancelled.");
    assertEquals(cancelled, ["42"]);
    await asked.user("Cancel the other one, too.", { until: "speaking" });
    await asked.user("No.");
    asked.expect.said("As you like.");
    assertEquals(cancelled, ["42"]);
  });

  it("hears what is spoken, when the silence after it is long enough", async () => {
    await using spoken = await call(["Half past two."]);
    const beganMs = spoken.clock.now();
    await spoken.speak("What time is it?", { durationMs: 1_000 });
    spoken.expect.said("Half past two.");
    const committed = spoken.events.find((event) => event.type === "user-speech-committed");
    assertEquals(committed?.text, "What time is it?");
    const waitedMs = (committed?.atMs ?? NaN) - beganMs;
    assert(waitedMs >= 1_350, `committed after ${waitedMs} ms`);
  });

  it("is interrupted by some words, and not by others; what was heard is what was said", async () => {
    await using long = await call([story, "All right.", story]);
    await long.user("Tell me a story.", { until: "speaking" });
    await long.wait(1_500);
    await long.interrupt("stop");
    long.expect.interrupted(/^Once upon a time/);
    long.expect.said("All right.");

    await long.user("Go on.", { until: "speaking" });
    await long.interrupt("mhm");
    long.expect.said(story);
    await assertRejects(() => long.interrupt("stop"), /the agent is listening; expected it to be speaking/);
  });

  it("lets time pass in which nobody says anything", async () => {
    await using silent = await call([], {
      agent: { away: { afterMs: 10_000, prompts: ["Are you there?"] } },
    });
    await silent.wait(9_000);
    assertEquals([silent.clock.now(), silent.events.length], [9_000, 1]);
    await silent.wait(3_000);
    silent.expect.said("Are you there?");
  });

  it("ends when the user hangs up, or the agent does", async () => {
    const goodbyes: string[] = [];
    await using left = await call(["Hello."], {
      agent: {
        entry: ({ addShutdownCallback }) => addShutdownCallback((reason) => void goodbyes.push(reason)),
      },
    });
    await left.user("Hi.");
    await left.hangUp();
    left.expect.closed("participant-left");
    left.expect.state("closed");
    assertEquals(goodbyes, ["participant-left"]);
    await assertRejects(() => left.user("Hello?"), /user\(\): the call has ended/);

    const close = tool({
      description: "Hangs up",
      effect: "once",
      execute: (_, { session }) => void session.close(),
    });
    await using done = await call([{ toolCalls: [{ name: "close" }] }, "Goodbye."], {
      agent: { tools: { close } },
    });
    await done.user("Bye.");
    done.expect.closed("closed");
  });

  it("goes on with the agent that is handed the conversation, whose tools can be replaced, too", async () => {
    const cashier = defineAgent({
      name: "cashier",
      instructions: "You take money.",
      tools: { pay: tool({ description: "Takes money", effect: "once", execute: () => "paid" }) },
      entry: ({ session }) => void session.say("I am the cashier."),
    });
    const transfer = tool({ description: "Hands over", effect: "idempotent", execute: () => cashier });
    await using handed = await call(
      [
        { toolCalls: [{ name: "transfer" }] },
        { toolCalls: [{ name: "pay" }] },
        ({ messages }) => messages.at(-1)!.content,
      ],
      { agent: { tools: { transfer } }, tools: { pay: () => "paid by a mock" } },
    );
    await handed.user("I want to pay.");
    handed.expect.handoff("cashier");
    handed.expect.said("I am the cashier.");
    await handed.user("Here you are.");
    handed.expect.said("paid by a mock");
  });

  it("waits for what the test itself has the session say", async () => {
    await using said = await call(["Generated."]);
    assertEquals((await said.until(said.session.say("One, two, three."))).text, "One, two, three.");
    assertEquals((await said.until(said.session.generateReply())).text, "Generated.");
  });

  it("takes a model in place of a script, or the agent's own, which take real time", async () => {
    const llm: LanguageModel = {
      provider: "slow",
      model: "slow",
      generate: () =>
        ReadableStream.from((async function* () {
          await new Promise((resolve) => setTimeout(resolve, 20));
          yield { type: "text" as const, text: "At last." };
          yield { type: "finish" as const, reason: "stop" as const };
        })()),
    };
    for (const given of [{ llm }, { agent: { llm }, llm: undefined }]) {
      const { agent, ...options } = given as { agent?: Partial<AgentDefinition>; llm?: LanguageModel };
      await using slow = await testCall(defineAgent({ instructions: "Be slow.", ...agent }), {
        ...(options.llm && { llm: options.llm }),
      });
      await slow.user("Hello?");
      slow.expect.said("At last.");
    }
    const agent = defineAgent({ instructions: "Be brief.", llm: "openai/gpt-4o" });
    await assertRejects(() => testCall(agent), /the agent has no model of its own; expected `llm: scripted/);
  });
});

describe("what a test is told", () => {
  it("shows the call when an expectation is not met", async () => {
    await using wrong = await call([lookUp("41"), "It is lost."]);
    await wrong.user("Where is my order?");
    const cases: readonly [() => void, RegExp][] = [
      [() => wrong.expect.said("found"), /expected the agent to say "found"; it said "It is lost."/],
      [
        () => wrong.expect.toolCall("lookupOrder", { orderId: "42" }),
        /expected a call of lookupOrder\(\{"orderId":"42"\}\); there was lookupOrder\(\{"orderId":"41"\}\)/,
      ],
      [() => wrong.expect.toolCall("cancelOrder"), /expected a call of cancelOrder/],
      [() => wrong.expect.noToolCall(), /expected no call of a tool; there was lookupOrder/],
      [() => wrong.expect.interrupted(), /expected the agent to be cut off/],
      [() => wrong.expect.error(), /expected a failure/],
      [() => wrong.expect.handoff(), /expected a handoff; there was none/],
      [() => wrong.expect.handoff("sales"), /expected a handoff to "sales"; there was none/],
      [() => wrong.expect.state("speaking"), /expected the agent to be speaking; it is listening/],
      [() => wrong.expect.closed(), /expected the call to have ended; it goes on/],
    ];
    for (const [expectation, problem] of cases) {
      const error = messageOf(expectation);
      assertMatch(error, problem);
      assertMatch(
        error,
        /The call so far:\n.+user +Where is my order\?\n.+tool +lookupOrder\(.+\n.+done: order 41.+\n.+agent +It is lost\./,
      );
    }
  });

  it("looks at what happened since the user's last word", async () => {
    await using twice = await call([lookUp("42"), "It is lost.", "You are welcome."]);
    await twice.user("Where is my order?");
    await twice.user("Thanks.");
    twice.expect.noToolCall();
    assertMatch(messageOf(() => twice.expect.said("lost")), /it said "You are welcome."/);
    assertMatch(messageOf(() => twice.expect.toolCall("lookupOrder")), /there was none/);
  });

  it("says which reply is missing when the script is used up", async () => {
    await using short = await call([lookUp("42")]);
    await assertRejects(
      () => short.user("Where is my order?"),
      /asked for reply 2, and the script has 1 reply\. The last message \(tool\): "order 42 is really shipped"; tools: lookupOrder, cancelOrder/,
    );
  });

  it("passes on what a reply that is a function throws", async () => {
    await using wrong = await call([({ messages }) => {
      assertEquals(messages.at(-1)?.content, "Something else");
      return "";
    }]);
    await assertRejects(() => wrong.user("Hello."), /Something else/);
  });

  it("fails at the end for a failure that was not expected", async () => {
    const failing = async (isExpected: boolean) => {
      await using failed = await call([new Error("the model is down")]);
      await failed.user("Hello?");
      if (isExpected) failed.expect.error("the model is down");
    };
    await failing(true);
    await assertRejects(
      () => failing(false),
      /a failure that the test does not expect.*llm: the model is down/,
    );
  });

  it("lets a voice fail, and go on", async () => {
    await using mute = await call(["Nobody hears this.", "Can you hear me?"], { voicings: ["fail"] });
    await mute.user("Hello?");
    mute.expect.error("the voice failed");
    await mute.user("Hello?");
    mute.expect.said("Can you hear me?");
  });

  it("lets a model never answer", async () => {
    await using hung = await call([{ afterMs: Infinity }, "Back again."]);
    await hung.user("Hello?");
    hung.expect.error();
    await hung.user("Are you there?");
    hung.expect.said("Back again.");
  });
});

function messageOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}
