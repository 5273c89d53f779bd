/** The page in a real Chromium, talking with the real process: without keys, with OpenAI's alone, and in a LiveKit room. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type { Page } from "playwright-core";
import { RoomServiceClient } from "livekit-server-sdk";
import { resample } from "../../src/audio/resample.ts";
import { writeWav } from "../../src/audio/wav.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { startOpenAIAudio } from "../emulators/openai_audio.ts";
import { voice } from "../emulators/voice.ts";
import { silentLog } from "../fakes/log.ts";
import { joined, loadClip, quiet } from "../fixtures/speech.ts";
import { startBrowser } from "./browser.ts";
import { until } from "./caller.ts";
import { listenToElement, untilLouder, untilState } from "./page_probe.ts";
import { type LiveKitServer, startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const artifacts = new URL("../artifacts/", import.meta.url).pathname;
const greeting = "Hello! How can I help you today?";
const request = "Tell me a long story.";
const story = Array.from({ length: 12 }, (_, i) => `This is part ${i + 1} of the story.`).join(" ");
const thanks = "That is enough.";
const farewell = "You are welcome, and goodbye.";
const answers: Record<string, string> = { [request]: story, [thanks]: farewell };
const answer = (user: string) => answers[user] ?? "?";
const apiKey = "sk-openai-never-shown";

const livekit = await startLiveKitServer();
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const shot = (page: Page, name: string) => page.screenshot({ path: `${artifacts}${name}.png` });

async function say(page: Page, text: string) {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
}

/** Waits for an entry of the transcript that holds `text`. */
const untilSaid = (page: Page, who: "user" | "agent", text: string) =>
  page.locator(`.turn.${who}`, { hasText: text }).last().waitFor({ timeout: 15_000 });

/** The words of the first answer that was cut off, once one was. */
async function untilCut(page: Page): Promise<string> {
  const words = page.locator(".turn.agent p", { has: page.locator(".cut") }).first();
  await words.waitFor({ timeout: 10_000 });
  return await words.innerText();
}

/** OpenAI as one server, its voice 60 ms a character. */
async function startOpenAI() {
  await using stack = new AsyncDisposableStack();
  const chat = stack.use(await startOpenAIEmulator({ apiKey, answer, tokenMs: 20 }));
  const audio = stack.use(
    await startOpenAIAudio({
      apiKey,
      pieces: [4_800],
      voice: (text) => Int16Array.from(voice(24_000, 0, text.length * 1_440)),
      hears: ({ samples, sampleRate }) => samples.length / sampleRate > 1.7 ? request : thanks,
    }),
  );
  const forward = (request: Request) => {
    const { pathname } = new URL(request.url);
    const { url } = pathname.startsWith("/v1/audio/") ? audio : chat;
    const { method, headers, body } = request;
    return fetch(new URL(pathname, url), { method, headers, body });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, forward);
  stack.defer(() => server.shutdown());
  const started = stack.move();
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** A recording for the microphone: a request of 2 s, `atMs` after it is opened; and thanks, of 1 s, `laterMs` after that. */
async function recordSpeech({ atMs, laterMs }: { readonly atMs: number; readonly laterMs: number }) {
  const [long, short] = [await loadClip("one"), await loadClip("five")];
  const samples = joined(quiet(atMs), long.samples, quiet(laterMs), short.samples, quiet(60_000));
  const file = await Deno.makeTempFile({ suffix: ".wav" });
  await Deno.writeFile(
    file,
    writeWav({ samples: resample(samples, 16_000, 48_000), sampleRate: 48_000, channels: 1 }),
  );
  return { file, [Symbol.asyncDispose]: () => Deno.remove(file) };
}

describe("the page and the process", () => {
  it("answers aloud without any key, is interrupted, and says what is simulated", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = await startServer({});
    const { page, problems } = await browser.open();
    await page.goto(await server.url);
    const said = /Simulated: it thinks with a demo of fixed rules/;
    await page.locator("#plainly").filter({ hasText: said }).waitFor();
    assertEquals(await page.innerText("#about-label"), "Partly simulated");
    await shot(page, "keyless-start");
    const typedMs = performance.now();
    await say(page, "My name is Ada.");
    await untilSaid(page, "user", "My name is Ada.");
    await untilSaid(page, "agent", "Nice to meet you, Ada");
    await untilLouder(page);
    console.log(`typed, with a new call → heard: ${Math.round(performance.now() - typedMs)} ms`);
    await untilState(page, "Listening");

    await say(page, "What time is it?");
    await untilSaid(page, "user", "What time is it?");
    // The agent's own clock, which the demo asks with a tool.
    await page.locator(".turn.agent", { hasText: /It is \d{1,2}:\d\d\s[AP]M\./ }).waitFor({
      timeout: 15_000,
    });
    await untilState(page, "Listening");

    await say(page, "Tell me a long story.");
    await untilSaid(page, "agent", "Once upon a time");
    await untilLouder(page);
    await page.waitForTimeout(2_500);
    await shot(page, "keyless-speaking");
    await button(page, "Interrupt").click();
    assertMatch(await untilCut(page), /Once upon a time.* — interrupted$/s);
    await untilState(page, "Listening");
    await shot(page, "keyless-cut");

    await page.setViewportSize({ width: 390, height: 780 });
    await say(page, "What is my name?");
    await untilLouder(page);
    await untilSaid(page, "agent", "Your name is Ada.");
    await shot(page, "keyless-phone");
    assertEquals(problems, []);
  });

  it("hears speech and answers with OpenAI's key alone, and is interrupted by speech", async () => {
    await using speech = await recordSpeech({ atMs: 5_000, laterMs: 6_000 });
    await using browser = await startBrowser({ microphone: `${speech.file}%noloop` });
    if (!browser) return;
    await using openai = await startOpenAI();
    await using server = await startServer({ OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: openai.url });
    const { page, problems } = await browser.open();
    await page.goto(await server.url);
    assertEquals(await page.innerText("#about-label"), "All real");
    await button(page, "Start talking").click();
    await untilLouder(page);
    await untilSaid(page, "agent", greeting);
    await untilSaid(page, "user", request);
    await untilSaid(page, "agent", "This is part 2 of the story.");
    await untilLouder(page);
    await shot(page, "openai-speaking");
    assertMatch(await untilCut(page), /^This is part 1 of the story\..* — interrupted$/s);
    await untilSaid(page, "user", thanks);
    await untilLouder(page);
    await untilSaid(page, "agent", farewell);
    await shot(page, "openai-farewell");
    await untilState(page, "Listening");
    await button(page, "Hang up").click();
    await untilState(page, "Ended");
    assert(!server.output.includes(apiKey));
    assertEquals(problems, []);
  });

  it("says in words that the key is refused", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using openai = await startOpenAI();
    await using server = await startServer({ OPENAI_API_KEY: "sk-wrong", OPENAI_BASE_URL: openai.url });
    const { page, problems } = await browser.open({ width: 390, height: 780 });
    await page.goto(await server.url);
    await say(page, "Hello?");
    await page.waitForSelector("#alert:not([hidden])");
    assertMatch(
      await page.innerText("#alert"),
      /^The (voice|language model) refused the server's key\. Check the key, then start again\.$/,
    );
    await shot(page, "key-refused-phone");
    assertEquals(problems, []);
  });
});

/** Another agent joins the only room there is, and asks the page to do something. */
async function askPage(livekit: LiveKitServer, page: Page) {
  const { url, httpUrl, apiKey, apiSecret } = livekit;
  const [{ name = "" } = {}] = await new RoomServiceClient(httpUrl, apiKey, apiSecret).listRooms();
  const room = await joinLiveKitRoom({
    url,
    apiKey,
    apiSecret,
    roomName: name,
    identity: "another-agent",
    agentName: "another",
    subscribe: "audio",
    clock,
    log: silentLog,
    signal: new AbortController().signal,
  });
  await room.waitForParticipant();
  const options = { signal: AbortSignal.timeout(10_000), timeoutMs: 5_000 };
  // The page does as an agent asks once it has been told that this is one.
  const ask = () => room.performRpc?.("showMessage", '{"text":"It is booked."}', options);
  const told = await until(() => ask()?.catch(() => undefined), "the page to do as it is asked", 15_000);
  assertEquals(told, "");
  assertEquals(await page.innerText("#alert"), "It is booked.");
  return room;
}

describe("the page in a LiveKit room", { ignore: livekit === undefined }, () => {
  it("signs in, joins, hears the agent, talks and types with it", async () => {
    if (!livekit) return;
    await using speech = await recordSpeech({ atMs: 6_000, laterMs: 8_000 });
    await using browser = await startBrowser({ microphone: `${speech.file}%noloop` });
    if (!browser) return;
    // A gap that a busy machine makes in the sound is not to cut an utterance in two.
    const minEndpointMs = 500;
    const transcripts = [request, thanks];
    await using ears = await startDeepgramEmulator({ apiKey: "deepgram", transcripts, minEndpointMs });
    await using openai = await startOpenAIEmulator({ apiKey, answer, tokenMs: 20 });
    await using server = await startServer({
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      OPENAI_API_KEY: apiKey,
      OPENAI_BASE_URL: openai.url,
      DEEPGRAM_API_KEY: "deepgram",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      PLAYGROUND: "1",
      PLAYGROUND_PASSWORD: "open sesame",
    });
    const { page, problems } = await browser.open();
    await page.goto(await server.url);
    await page.fill("#password", "open sesame");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#agent:text('assistant')", { state: "attached" });
    await button(page, "Start talking").click();
    const { untilHeard } = await listenToElement(page);
    await untilHeard();
    await untilSaid(page, "agent", greeting);
    await untilSaid(page, "user", request);
    await untilSaid(page, "agent", "This is part 2 of the story.");
    await untilHeard();
    await shot(page, "livekit-speaking");
    await untilSaid(page, "user", thanks);
    await untilSaid(page, "agent", farewell);
    await untilState(page, "Listening");
    const cutBefore = await page.locator(".turn.agent .cut").count();
    await say(page, request);
    await page.locator(".turn.agent", { hasText: "This is part 1 of the story." }).nth(1).waitFor();
    await untilHeard();
    const last = page.locator(".turn.agent").last();
    assertMatch(await last.locator(".latency .bar").getAttribute("aria-label") ?? "", /^Answered after \d+/);
    await button(page, "Interrupt").click();
    await page.locator(".turn.agent .cut").nth(cutBefore).waitFor({ timeout: 5_000 });
    assertMatch(
      await last.locator("p").first().innerText(),
      /^This is part 1 of the story\..* — interrupted$/s,
    );
    await untilState(page, "Listening");
    await page.setViewportSize({ width: 390, height: 780 });
    await shot(page, "livekit-phone");
    await using _other = await askPage(livekit, page);
    await button(page, "Hang up").click();
    await untilState(page, "Ended");
    assertEquals(problems, []);
  });
});
