/** The page in a real Chromium, with sessions that follow a script. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Page } from "playwright-core";
import { startBrowser, type TestBrowser } from "./browser.ts";
import { recordRoundTrips, untilLouder, untilState } from "./page_probe.ts";
import { startPageServer } from "./page_server.ts";

const microphone = new URL("../fixtures/speech/one.wav", import.meta.url).pathname;
const artifacts = new URL("../artifacts/", import.meta.url).pathname;

const state = (page: Page) => page.textContent("#state");
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const loudness = (page: Page): Promise<number> => page.evaluate("repartee.call.levels().agent");

async function say(page: Page, text: string) {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
}

/** Runs `test` on a page of the server's, and asserts that it complained of nothing. */
function onPage(
  what: string,
  options: Parameters<typeof startPageServer>[0],
  test: (page: Page, server: ReturnType<typeof startPageServer>, browser: TestBrowser) => Promise<void>,
) {
  it(what, async () => {
    await using browser = await startBrowser({ microphone });
    if (!browser) return;
    await using server = startPageServer(options);
    const { page, problems } = await browser.open();
    await page.goto(server.url);
    await test(page, server, browser);
    assertEquals(problems, []);
  });
}

describe("the page", () => {
  onPage("answers a typed turn aloud, without a microphone", { answerMs: 600 }, async (page, server) => {
    await say(page, "Hello?");
    await untilState(page, "Speaking");
    await untilLouder(page);
    await untilState(page, "Listening");
    assertMatch(await page.innerText(".turn.user"), /Hello\?/);
    assertMatch(await page.innerText(".turn.agent"), /Here is what I have to say[^]*734 ms/);
    assertEquals(
      await page.getAttribute(".bar", "aria-label"),
      "Answered after 734 milliseconds: STT 140, Endpointing 220, LLM 250, TTS 124",
    );
    assertEquals(server.calls.played, [{ playedMs: 600, interrupted: false }]);
    await button(page, "End the conversation").click();
    await untilState(page, "Ended");
  });

  onPage(
    "falls silent when interrupted, and shows where it was cut",
    { answerMs: 5_000 },
    async (page, server) => {
      await button(page, "Start talking").click();
      await untilState(page, "Listening");
      await say(page, "Tell me a long story.");
      await untilState(page, "Speaking");
      await untilLouder(page);
      await page.waitForTimeout(700);
      await page.screenshot({ path: `${artifacts}desktop-speaking.png` });
      const silentMs = await page.evaluate<number>(`(async () => {
      const { call } = repartee;
      const from = performance.now();
      document.getElementById("interrupt").click();
      while (call.levels().agent > 0.001) await new Promise((resolve) => setTimeout(resolve, 2));
      return performance.now() - from;
    })()`);
      console.log(`interrupted → silent: ${Math.round(silentMs)} ms`);
      await page.waitForSelector(".turn.agent .cut");
      const [played] = server.calls.played;
      assert(played?.interrupted && played.playedMs > 500 && played.playedMs < 3_000, JSON.stringify(played));
      assertEquals(await loudness(page) < 0.001, true);
      await page.screenshot({ path: `${artifacts}desktop-cut.png` });
      await button(page, "Hang up").click();
      await untilState(page, "Ended");
    },
  );

  onPage("brings the microphone back within 40 ms, median", { echo: true }, async (page) => {
    const probe = await recordRoundTrips(page);
    await page.reload();
    await button(page, "Start talking").click();
    await untilLouder(page);
    await page.waitForTimeout(3_000);
    const { medianMs, p95Ms, count } = await probe.result();
    const underruns = await page.evaluate("repartee.call.audio.underruns");
    console.log(
      `round trip: median ${medianMs} ms, p95 ${p95Ms} ms, ${count} messages, ${underruns} underruns`,
    );
    assert(count > 50 && medianMs < 40, `median ${medianMs} ms of ${count}`);
  });

  onPage("does what the agent asks of it, and says why when it cannot", {}, async (page, server) => {
    await button(page, "Start talking").click();
    await untilState(page, "Listening");
    const [room] = server.calls.rooms;
    const ask = async (method: string, args: object) =>
      await room?.performRpc?.(method, JSON.stringify(args), {
        signal: AbortSignal.timeout(10_000),
        timeoutMs: 5_000,
      });
    const zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone");
    assertEquals(await ask("getTimeZone", {}), zone);
    assertEquals(await ask("showMessage", { text: "Your table is booked." }), "");
    assertEquals(await page.innerText("#alert"), "Your table is booked.");
    await assertRejects(() => ask("selfDestruct", {}), /the user's device does not know how to do this/);
    await page.evaluate("repartee.call.dropSocket()");
    await untilState(page, "Connection lost. Coming back");
    assertEquals(await ask("getTimeZone", {}), zone);
  });

  onPage("goes on where it was when its socket is lost", { answerMs: 3_000 }, async (page, server) => {
    await say(page, "Hello?");
    await untilState(page, "Speaking");
    await page.waitForTimeout(500);
    await page.evaluate("repartee.call.dropSocket()");
    await untilState(page, "Connection lost. Coming back");
    await untilState(page, "Speaking");
    await untilLouder(page);
    await untilState(page, "Listening");
    assertEquals(server.calls.played, [{ playedMs: 3_000, interrupted: false }]);
    assertEquals(server.calls.rooms.length, 1);
  });

  onPage("is worked by keyboard alone", { answerMs: 5_000 }, async (page, server) => {
    await page.keyboard.press("Space");
    await page.waitForSelector("#mute:enabled");
    await page.keyboard.press("Space");
    await untilState(page, "Muted");
    assertEquals(await page.getAttribute("#mute", "aria-pressed"), "true");
    await page.keyboard.press("Space");
    await page.keyboard.press("/");
    await page.keyboard.type("Hello?");
    await page.keyboard.press("Enter");
    await untilState(page, "Speaking");
    await page.keyboard.press("Escape");
    await untilState(page, "Listening");
    assertEquals(server.calls.played[0]?.interrupted, true);
  });

  onPage("says in words that the server is going", {}, async (page, server) => {
    await button(page, "Start talking").click();
    await untilState(page, "Listening");
    await server.drain();
    await page.waitForSelector("#alert:not([hidden])");
    assertMatch(await page.innerText("#alert"), /The server is restarting/);
    assertEquals(await state(page), "Ended");
  });

  it("says in words that the microphone is not allowed, and lets one type", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = startPageServer({ answerMs: 200 });
    const { page } = await browser.open();
    await page.addInitScript(`navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new DOMException("no", "NotAllowedError"))`);
    await page.goto(server.url);
    await button(page, "Start talking").click();
    await page.waitForSelector("#alert:not([hidden])");
    assertMatch(await page.innerText("#alert"), /microphone is not allowed/);
    assertEquals(await page.evaluate("document.activeElement.id"), "text");
    await say(page, "Hello?");
    await untilState(page, "Speaking");
  });

  it("asks for the password, and opens with it", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = startPageServer({
      access: { type: "password", password: "open sesame" },
      answerMs: 200,
    });
    const { page } = await browser.open();
    await page.goto(server.url);
    await page.fill("#password", "wrong one");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#wrong:target");
    await page.screenshot({ path: `${artifacts}door.png` });
    await page.fill("#password", "open sesame");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#agent:text('assistant')", { state: "attached" });
    await say(page, "Hello?");
    await untilState(page, "Speaking");
  });

  for (const width of [320, 390, 1280]) {
    it(`fits a window of ${width} pixels`, async () => {
      await using browser = await startBrowser({ microphone });
      if (!browser) return;
      await using server = startPageServer({ answerMs: 3_000 });
      const { page } = await browser.open({ width, height: width < 400 ? 700 : 800, dark: width === 390 });
      await page.goto(server.url);
      await page.waitForSelector("#agent:text('assistant')", { state: "attached" });
      await page.screenshot({ path: `${artifacts}start-${width}.png` });
      await button(page, "Start talking").click();
      await say(page, "Tell me a long story, with many words in it.");
      await untilState(page, "Speaking");
      await untilLouder(page);
      await page.screenshot({ path: `${artifacts}speaking-${width}.png` });
      assertEquals(await page.evaluate("document.documentElement.scrollWidth"), width);
      const small = await page.$$eval(
        "button",
        (buttons) =>
          buttons.filter((button) => button.checkVisibility())
            .filter((button) => button.getBoundingClientRect().height < 24).map((button) =>
              button.textContent
            ),
      );
      assertEquals(small, []);
    });
  }
});
