/** agents/vision on the page, in a real Chromium with a camera, over the page's own socket and in a LiveKit room. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { imagesOf, wordsOf } from "../emulators/openai_images.ts";
import { lookAt } from "../fixtures/pictures.ts";
import { startBrowser } from "./browser.ts";
import { blueVideo } from "./camera.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

/** Where the function runs that is handed to the page. */
declare const document: { getElementById(id: string): { readonly videoWidth: number } };

const artifacts = new URL("../artifacts/", import.meta.url).pathname;
const livekit = await startLiveKitServer();
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const apiKey = "mind-key";
const question = "What do you see?";
const [sees, nothing] = ["It is all blue.", "I see nothing."];

const ways: [way: string, environment: Record<string, string> | undefined][] = [
  ["its own socket", {}],
  [
    "LiveKit",
    livekit && {
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      PLAYGROUND: "1",
      PLAYGROUND_PASSWORD: "open sesame",
    },
  ],
];

describe("the camera of the page", () => {
  for (const [way, environment] of ways) {
    it(`is seen by the agent while it is on, over ${way}`, { ignore: !environment }, async () => {
      await using video = await blueVideo();
      await using browser = await startBrowser({ camera: video.file });
      if (!browser) return;
      /** A model that looks once a question, and says whether it was shown something. */
      await using openai = await startOpenAIEmulator({
        apiKey,
        answer(_user, _n, { messages }) {
          const asked = messages.findLastIndex((message) =>
            message.role === "user" && wordsOf(message) === question
          );
          const since = messages.slice(asked + 1);
          if (since.some((message) => imagesOf(message).length > 0)) return sees;
          if (since.some(({ role }) => role === "tool")) return nothing;
          return { calls: [{ name: "look", arguments: {} }] };
        },
      });
      await using server = await startServer({
        HOST: "127.0.0.1",
        OPENAI_API_KEY: apiKey,
        OPENAI_BASE_URL: openai.url,
        STT: "browser/speech",
        TTS: "flite/slt",
        ...environment,
      });
      const { page, problems } = await browser.open();
      const asked = page.waitForSelector("#agent:text-is('vision')");
      await page.goto(`${await server.url}/?agent=vision`);
      if (environment?.PLAYGROUND) {
        await page.fill("#password", "open sesame");
        await page.keyboard.press("Enter");
      }
      await asked;
      const answers = (answer: string) => page.locator(".turn.agent", { hasText: answer });
      /** Asks until the answer is `answer` once more: what the camera shows takes its time to reach the agent. */
      const ask = async (answer: string) => {
        const nth = await answers(answer).count();
        for (let tries = 1;; tries++) {
          await page.fill("#text", question);
          await page.keyboard.press("Enter");
          try {
            return await answers(answer).nth(nth).waitFor({ timeout: 8_000 });
          } catch (error) {
            if (tries === 3) throw error;
          }
        }
      };
      await page.click("#talk");
      await page.locator(".turn.agent", { hasText: "Turn on your camera" }).waitFor({ timeout: 15_000 });
      await ask(nothing);
      assertEquals(await page.evaluate("document.getElementById('preview').srcObject"), null);

      await page.getByRole("button", { name: "Show my camera" }).click();
      await page.waitForFunction(() => document.getElementById("preview").videoWidth > 0);
      await ask(sees);
      await page.screenshot({ path: `${artifacts}camera-${way === "LiveKit" ? "livekit" : "socket"}.png` });
      const images = openai.requests.at(-1)?.body.messages.flatMap(imagesOf) ?? [];
      const [seen, ...others] = await Promise.all(images.map(({ file }) => lookAt(file)));
      assertEquals([seen?.format, seen?.colour, others.length], ["jpeg", "blue", 0]);
      assert(seen && seen.width <= 1_024 && seen.height <= 1_024, JSON.stringify(seen));

      await page.getByRole("button", { name: "Turn the camera off" }).click();
      await ask(nothing);
      await page.getByRole("button", { name: "Hang up" }).click();
      await page.waitForSelector("#camera", { state: "hidden" });
      assertEquals(problems, []);
      assert(!server.log.some(({ level }) => level === "error"), server.output);
    });
  }
});
