/** Runs in a container of the image: loads what the server loads only when it needs it, and prints what came of it. */
import { loadTokenizer, tokenCounter } from "../../src/history/tokens.ts";
import { loadOpenAI } from "../../src/openai.ts";
import { loadDeepgram } from "../../src/stt/deepgram.ts";
import { fliteTextToSpeech } from "../../src/tts/flite.ts";
import { loadSilero } from "../../src/vad/silero.ts";
import { jpegOf } from "../../src/vision/jpeg.ts";

const word = "こんにちは世界";
const models = ["gpt-5", "gpt-4"];
await Promise.all(models.map(loadTokenizer));

const { OpenAI } = await loadOpenAI();
const { DeepgramClient } = await loadDeepgram();
const { connectMcp } = await import("../../src/tools/mcp_client.ts");
await loadSilero();

const black = { rgb: new Uint8Array(64 * 48 * 3), width: 64, height: 48, rotation: 0 } as const;
const { mimeType } = await jpegOf(black, { longestSide: 32 });

const { signal } = new AbortController();
const speech = await Array.fromAsync(
  fliteTextToSpeech().synthesize(ReadableStream.from(["Hello."]), { signal }),
);

console.log(JSON.stringify({
  tokens: models.map((model) => tokenCounter(model)(word)),
  loaded: [OpenAI, DeepgramClient, connectMcp].map(({ name }) => name),
  mimeType,
  speaks: speech.length > 0,
}));
