/** The emulated providers of a benchmark, as fast as typical real ones. Writes their base URLs as a line of JSON. */
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";

/** 31 words: about 4 s of voice. */
const answer =
  "Sure, I can help you with that. The weather today is mild, with a light breeze from the west. " +
  "You should expect some clouds later on, but it will stay dry.";

const deepgram = await startDeepgramEmulator({
  apiKey: "*",
  transcripts: ["What will the weather be like today?"],
  minEndpointMs: 100,
  listenDelayMs: 60,
  firstAudioMs: 80,
  speed: 20,
});
const openai = await startOpenAIEmulator({ apiKey: "*", answer: () => answer, ttftMs: 120, tokenMs: 10 });
console.log(JSON.stringify({ deepgram: deepgram.url, openai: openai.url }));
