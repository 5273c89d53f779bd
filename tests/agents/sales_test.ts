import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import sales from "../../agents/sales.ts";
import { saidIn } from "../../src/history.ts";
import { demoLanguageModel } from "../../src/llm/demo.ts";
import { scripted, testCall } from "../../src/testing.ts";

const transfer = (name: string, reason: string) => ({ toolCalls: [{ name, arguments: { reason } }] });

describe("agents/sales", () => {
  it("transfers who wants to buy to a sales specialist, who knows what was said", async () => {
    const asked: string[][] = [];
    await using call = await testCall(sales, {
      llm: scripted([
        { text: "I'll transfer you to sales.", ...transfer("transferToSales", "20 seats") },
        ({ messages, tools }) => {
          asked.push(
            messages.map(({ role, content }) => `${role}: ${content}`),
            tools!.map(({ name }) => name),
          );
          return "20 seats are 400 dollars a month.";
        },
      ]),
    });
    call.expect.said("Welcome to TechCorp. What can I do for you?");
    await call.user("I want to buy 20 seats.");
    call.expect.toolCall("transferToSales", { reason: "20 seats" });
    call.expect.said("I'll transfer you to sales.");
    call.expect.handoff("sales-specialist");
    call.expect.said("Transfer complete. I'm now your sales specialist.");
    await call.user("What do they cost?");
    call.expect.said("20 seats are 400 dollars a month.");
    assertEquals(asked, [[
      "system: You are now a sales specialist. Help the customer with pricing and purchasing decisions.",
      "assistant: Welcome to TechCorp. What can I do for you?",
      "user: I want to buy 20 seats.",
      "assistant: ",
      "tool: Transferred to sales: 20 seats",
      "assistant: I'll transfer you to sales.",
      "assistant: Transfer complete. I'm now your sales specialist.",
      "user: What do they cost?",
    ], ["transferToFrontDesk"]]);
  });

  it("hands the customer back, and answers what they want there at once", async () => {
    await using call = await testCall(sales, {
      llm: scripted([
        transfer("transferToSales", "a price"),
        transfer("transferToFrontDesk", "the opening hours"),
        ({ tools }) => `We open at nine. ${tools?.[0]?.name}`,
      ]),
    });
    await call.user("What does it cost?");
    call.expect.said("Transfer complete.");
    await call.user("And when do you open?");
    call.expect.said("We open at nine. transferToSales");
    const handoffs = call.events.flatMap((event) => event.type === "handoff" ? [[event.from, event.to]] : []);
    assertEquals(handoffs, [["test", "sales-specialist"], ["sales-specialist", "test"]]);
    assertEquals(saidIn(call.history).filter(({ role }) => role === "user").length, 2);
  });

  it("hands over and back without any key, too", async () => {
    await using call = await testCall(sales, { llm: (clock) => demoLanguageModel({ clock }) });
    await call.user("What are your prices?");
    call.expect.handoff("sales-specialist");
    call.expect.said("Transfer complete.");
    await call.user("Please let me go back to the front desk.");
    call.expect.handoff();
    call.expect.said("Transferred to the front desk");
  });

  it("is registered", () => assert(agents.sales === sales));
});
