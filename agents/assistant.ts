import { defineAgent, tool } from "../src/mod.ts";

const getTime = tool({
  description: "Tells the time, as it is where the server runs",
  effect: "none",
  execute: () => new Date().toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit" }),
});

/** The default agent: greets, then answers whatever it is asked, and knows what time it is. */
export default defineAgent({
  instructions: "You are a helpful assistant. Be concise and friendly.",
  greeting: "Hello! How can I help you today?",
  tools: { getTime },
});
