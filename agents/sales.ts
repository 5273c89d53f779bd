import * as z from "zod";
import { type Agent, defineAgent, handoff, tool } from "../src/mod.ts";

const reason = z.object({ reason: z.string().min(1).describe("What the customer wants, in a few words") });

/** Pricing and purchases. */
const sales: Agent = defineAgent({
  name: "sales-specialist",
  instructions: "You are now a sales specialist. Help the customer with pricing and purchasing decisions.",
  tools: {
    transferToFrontDesk: tool({
      description: "Transfers the customer back to the front desk, for whatever is not about buying",
      parameters: reason,
      effect: "idempotent",
      execute: ({ reason }) => handoff(frontDesk, { result: `Transferred to the front desk: ${reason}` }),
    }),
  },
  entry({ session }) {
    session.say("Transfer complete. I'm now your sales specialist.");
  },
});

/** Takes the call, and hands it over to a specialist for what is about buying. */
const frontDesk: Agent = defineAgent({
  instructions: "You are the front desk of TechCorp. Be helpful, friendly, and concise. " +
    "Transfer the customer to sales for pricing and purchases.",
  tools: {
    transferToSales: tool({
      description: "Transfers the customer to a sales specialist, who knows prices and takes orders",
      parameters: reason,
      effect: "idempotent",
      execute: ({ reason }) => handoff(sales, { result: `Transferred to sales: ${reason}` }),
    }),
  },
  async entry(ctx) {
    if (ctx.from !== undefined) return; // the customer is back, and is answered
    await ctx.waitForParticipant();
    ctx.session.say("Welcome to TechCorp. What can I do for you?");
  },
});

export default frontDesk;
