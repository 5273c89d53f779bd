import { defineAgent, tool } from "../src/mod.ts";

/** An agent of one model that hears and speaks by itself; it needs OpenAI's key, and nothing else. */
export default defineAgent({
  instructions:
    "You are a friendly voice assistant. Be concise, and speak the user's language. When you are asked for the time, " +
    "look at the clock.",
  model: "openai-realtime/gpt-realtime:marin",
  tools: {
    clock: tool({
      description: "The date and the time in UTC",
      effect: "none",
      execute: () => new Date().toUTCString(),
    }),
  },
  async entry(ctx) {
    await ctx.waitForParticipant();
    ctx.session.generateReply({ instructions: "Greet the user in a few words, and offer your help." });
  },
});
