/** Any agent on the page, in a real Chromium: without keys, and in a LiveKit room. */
import { assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type { Page } from "playwright-core";
import { startBrowser } from "./browser.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { untilLouder, untilState } from "./page_probe.ts";
import { startServer } from "./server.ts";

const artifacts = new URL("../artifacts/", import.meta.url).pathname;
const livekit = await startLiveKitServer();
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

async function say(page: Page, text: string) {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
}

/** What is shown of a call that the front desk hands over, but for its greeting. */
const handedOver = [
  "You: I want to talk to sales.",
  "transferToSales → Transferred to sales: I want to talk to sales.",
  "handed over to sales-specialist",
  "sales-specialist: Transfer complete. I'm now your sales specialist.",
];

/** The transcript once that is there, an entry a line: who, and what they said. */
async function untilHandedOver(page: Page): Promise<string[]> {
  const last = page.locator("#turns > li p", { hasText: "I'm now your sales specialist." });
  await last.waitFor({ timeout: 15_000 });
  const lines = await page.$$eval("#turns > li", (items) => {
    const words = (item: (typeof items)[number], part: string) => item.querySelector(part)?.textContent ?? "";
    return items.map((item) =>
      item.matches(".note") ? item.textContent : `${words(item, ".who")}: ${words(item, "p")}`
    );
  });
  return lines.filter((line) => !line.startsWith("sales: "));
}

describe("agents on the page", () => {
  it("are there to choose from, hand over, and show what tools they use", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = await startServer({});
    const { page, problems } = await browser.open();
    await page.goto(await server.url);
    await page.click("#choose");
    const support = page.locator("#agents li", { hasText: "You are a customer service agent for TechCorp." });
    assertEquals(await support.locator("a").getAttribute("href"), null);
    assertMatch(await support.innerText(), /cannot be used: .*OPENAI_API_KEY is not set/);
    assertEquals(await page.locator("#agents [aria-current]").allInnerTexts(), ["assistant"]);
    await page.screenshot({ path: `${artifacts}agents.png` });
    await page.getByRole("link", { name: "sales", exact: true }).click();
    await page.waitForURL("**/?agent=sales");
    await page.waitForSelector("#agent:text-is('sales')");

    await say(page, "I want to talk to sales.");
    await untilLouder(page);
    assertEquals(await untilHandedOver(page), handedOver);
    assertEquals(await page.innerText("#agent"), "sales-specialist");
    await page.screenshot({ path: `${artifacts}handover.png` });
    assertEquals(await page.locator("#alert").isVisible(), false);
    assertEquals(problems, []);
  });

  it("are named where there is no such agent", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = await startServer({});
    const { page } = await browser.open();
    await page.goto(`${await server.url}/?agent=nobody`);
    await page.waitForSelector("#alert:not([hidden])");
    assertMatch(await page.innerText("#alert"), /^There is no agent “nobody” here; there is assistant, /);
    await page.click("#talk");
    await untilState(page, "Ready");
  });

  it("hand over in a LiveKit room, too", { ignore: livekit === undefined }, async () => {
    if (!livekit) return;
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = await startServer({
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      HOST: "127.0.0.1",
      PLAYGROUND: "1",
      PLAYGROUND_PASSWORD: "open sesame",
    });
    const { page, problems } = await browser.open();
    await page.goto(`${await server.url}/?agent=sales`);
    await page.fill("#password", "open sesame");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#agent:text-is('sales')");
    await page.click("#talk");
    await page.locator(".turn.agent", { hasText: "Welcome to TechCorp." }).waitFor({ timeout: 15_000 });
    await say(page, "I want to talk to sales.");
    assertEquals(await untilHandedOver(page), handedOver);
    assertEquals(problems, []);
  });
});
