import { defineAgent } from "../src/mod.ts";

/** Takes part in a meeting: hears everybody in the room, and knows who says what. */
export default defineAgent({
  instructions: "You take part in a meeting of several people. Be concise, and call people by their names.",
  participants: "all",
  async entry(ctx) {
    await ctx.waitForParticipant();
    ctx.session.say("Hello everybody! How can I help?");
  },
});
