import { defineAgent } from "../src/mod.ts";

/** Customer service, with everything configured: needs keys for Deepgram, OpenAI and ElevenLabs. */
export default defineAgent({
  instructions: "You are a customer service agent for TechCorp. Be helpful, professional, and concise. " +
    "If you don't know something, say so honestly.",
  // Silero: how long a voice is heard before it counts as speech, and a silence before the speech is over.
  vad: { minSpeechMs: 100, minSilenceMs: 500 },
  stt: { model: "deepgram/nova-2", language: "en" },
  llm: { model: "openai/gpt-4o", temperature: 0.7 },
  tts: { model: "elevenlabs/eleven_turbo_v2", voice: "JBFqnCBsd6RMkjVDRZzb" },
  // Half a second of speech AND two words: a cough or an "mhm" does not stop the agent.
  interruption: { allowed: true, minDurationMs: 500, minWords: 2 },
  async entry(ctx) {
    await ctx.waitForParticipant();
    ctx.session.say("Welcome to TechCorp support. How can I help?");
  },
});
