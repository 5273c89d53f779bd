/** agents/vision as an operator runs it: a real livekit-server, the real process, a real camera, an emulated model. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import type { Room as ClientRoom } from "livekit-client";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { type OpenAIEmulator, startOpenAIEmulator } from "../emulators/openai.ts";
import { imagesOf } from "../emulators/openai_images.ts";
import { lookAt, red } from "../fixtures/pictures.ts";
import { loadClip } from "../fixtures/speech.ts";
import { openClient, startBrowser } from "./browser.ts";
import { joinCaller, until } from "./caller.ts";
import { blueVideo, publishCamera } from "./camera.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
const video = await blueVideo();
const browser = await startBrowser({ camera: video.file });
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await livekit?.[Symbol.asyncDispose]();
  await video[Symbol.asyncDispose]();
});

const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};

/** A model that looks first, and then says `answer`. */
const modelThatLooks = (answer: string) =>
  startOpenAIEmulator({
    apiKey: "mind-key",
    answer: (_user, _n, { messages }) =>
      messages.some((message) => imagesOf(message).length > 0)
        ? answer
        : { calls: [{ name: "look", arguments: {} }] },
  });

/** The server with its agent in `room`. */
async function startAgent(room: string, openai: OpenAIEmulator, deepgram: { readonly url: string }) {
  const server = await startServer({
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
    HOST: "127.0.0.1",
    DEEPGRAM_API_KEY: "ears-key",
    DEEPGRAM_BASE_URL: deepgram.url,
    OPENAI_API_KEY: "mind-key",
    OPENAI_BASE_URL: openai.url,
  });
  const operator = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  operator.addGrant({ room, roomAdmin: true });
  const response = await fetch(`${await server.url}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await operator.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room, agent: "vision" }),
  });
  await response.body?.cancel();
  assertEquals(response.status, 201);
  return server;
}

/** What the model was shown: roles of the last prompt with pictures, and what is to be seen in them. */
async function shown(openai: OpenAIEmulator) {
  const messages = openai.requests.at(-1)?.body.messages ?? [];
  const images = messages.flatMap(imagesOf);
  return {
    roles: messages.slice(-4).map(({ role }) => role),
    images: await Promise.all(images.map(({ file }) => lookAt(file))),
  };
}

describe("agents/vision in LiveKit", () => {
  it("looks at the camera when it is asked what there is, and the model sees that", options, async () => {
    const room = `room-${crypto.randomUUID()}`;
    await using deepgram = await startDeepgramEmulator({
      apiKey: "ears-key",
      transcripts: ["What do you see?"],
      minEndpointMs: 300,
    });
    await using openai = await modelThatLooks("It is all red.");
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    await using _camera = await publishCamera(caller.room, { colour: red, width: 1_280, height: 720 });
    await using server = await startAgent(room, openai, deepgram);
    await caller.untilSpeech({ sinceMs: 0 });
    await caller.untilQuiet();
    await caller.speak((await loadClip("one")).samples);
    await until(
      () => caller.transcripts.some(({ text, closed }) => closed && text === "It is all red."),
      "the answer",
      20_000,
    );
    const { roles, images } = await shown(openai);
    assertEquals(roles, ["user", "assistant", "tool", "user"]);
    assertEquals(images.map(({ format, colour }) => [format, colour]), [["jpeg", "red"]]);
    assert(images.every(({ width, height }) => width <= 1_024 && height <= 1_024), JSON.stringify(images));
    assert(!server.log.some(({ level }) => level === "warn" || level === "error"), server.output);
  });

  it("sees the camera of a browser", { ...options, ignore: options.ignore || !browser }, async () => {
    const room = `room-${crypto.randomUUID()}`;
    await using deepgram = await startDeepgramEmulator({ apiKey: "ears-key" });
    await using openai = await modelThatLooks("It is all blue.");
    assert(browser);
    await using opened = await openClient(browser);
    const { page, problems } = opened;
    const token = new AccessToken(apiKey, apiSecret, { identity: "browser" });
    token.addGrant({ room, roomJoin: true });
    await page.evaluate(joinWithCamera, { url, token: await token.toJwt() });
    await using server = await startAgent(room, openai, deepgram);
    await page.waitForFunction("window.said?.some((text) => text.startsWith('Hello!'))");
    await page.evaluate("window.room.localParticipant.sendText('What do you see?', { topic: 'lk.chat' })");
    await page.waitForFunction("window.said.includes('It is all blue.')");
    assertEquals((await shown(openai)).images.map(({ colour }) => colour), ["blue"]);
    await page.evaluate("window.room.disconnect()");
    assertEquals(problems, []);
    assert(!server.log.some(({ level }) => level === "error"), server.output);
  });
});

/** Runs in the page: joins with its camera on, and keeps what the agent says in `window.said`. */
async function joinWithCamera({ url, token }: { readonly url: string; readonly token: string }) {
  const said: string[] = [];
  const { LivekitClient } = globalThis as unknown as { LivekitClient: { Room: new () => ClientRoom } };
  const room = new LivekitClient.Room();
  Object.assign(globalThis, { room, said });
  room.registerTextStreamHandler(
    "lk.transcription",
    async (reader) => void said.push(await reader.readAll()),
  );
  await room.connect(url, token);
  await room.localParticipant.setCameraEnabled(true);
}
