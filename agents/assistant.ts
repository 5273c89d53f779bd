import { defineAgent } from "../src/mod.ts";

/** The default agent: greets, then answers whatever it is asked. */
export default defineAgent({
  instructions: "You are a helpful assistant. Be concise and friendly.",
  async entry(ctx) {
    await ctx.waitForParticipant();
    ctx.session.say("Hello! How can I help you today?");
  },
});
