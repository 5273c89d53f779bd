import { defineAgent, lookTool } from "../src/mod.ts";

/** An agent that sees: it looks at the user's camera, or at the screen they share, when what they say is about that. */
export default defineAgent({
  instructions:
    "You are a helpful assistant who can see what the user shows you. Look before you say anything about it, " +
    "and look again when it may have changed. Be concise: your words are spoken.",
  autoSubscribe: "all",
  tools: { look: lookTool() },
  async entry(ctx) {
    await ctx.waitForParticipant();
    ctx.session.say("Hello! Turn on your camera or share your screen, and ask me about it.");
  },
});
