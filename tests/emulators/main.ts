/**
 * The emulated providers in a process of their own: `deno run --allow-net=127.0.0.1 --allow-env tests/emulators/main.ts
 * '{"deepgram": {…}, "openai": {…}, "elevenlabs": {…}, "cartesia": {…}}'`, with options of each that can be written as JSON. Writes their base URLs as one
 * line of JSON, and runs until it is killed.
 */
import { startCartesiaEmulator } from "./cartesia.ts";
import { startDeepgramEmulator } from "./deepgram.ts";
import { startElevenLabsEmulator } from "./elevenlabs.ts";
import { startOpenAIEmulator } from "./openai.ts";

const options = JSON.parse(Deno.args[0] ?? "{}");
const deepgram = await startDeepgramEmulator({ apiKey: "*", ...options.deepgram });
const openai = await startOpenAIEmulator({ apiKey: "*", ...options.openai });
const elevenlabs = await startElevenLabsEmulator({ apiKey: "*", ...options.elevenlabs });
const cartesia = await startCartesiaEmulator({ apiKey: "*", ...options.cartesia });
console.log(
  JSON.stringify({
    deepgram: deepgram.url,
    openai: openai.url,
    elevenlabs: elevenlabs.url,
    cartesia: cartesia.url,
  }),
);
