/** The page of the API's description, in a real Chromium that reaches this server alone. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { startBrowser } from "./browser.ts";
import { startPageServer } from "./page_server.ts";

describe("the page of the API's description", () => {
  it("shows every operation, asks nobody else, and makes a request", async () => {
    await using browser = await startBrowser();
    if (!browser) return;
    await using server = startPageServer();
    const { page, problems } = await browser.open();
    const elsewhere: string[] = [];
    page.on("request", (request) => {
      if (!/^data:/.test(request.url()) && !request.url().startsWith(server.url)) {
        elsewhere.push(request.url());
      }
    });
    await page.goto(`${server.url}/docs`);
    await page.waitForSelector(".opblock");
    const { paths } = await (await fetch(`${server.url}/openapi.json`)).json();
    const described = Object.entries<Record<string, unknown>>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`)
    );
    const shown: string[] = await page.$$eval(
      ".opblock",
      (blocks: readonly { querySelector(selector: string): { textContent: string } | null }[]) =>
        blocks.map((block) =>
          ["method", "path"].map((part) =>
            block.querySelector(`.opblock-summary-${part}`)?.textContent.trim()
          )
            .join(" ")
        ),
    );
    const plain = (operation: string) => operation.replaceAll("\u200b", "").toLowerCase();
    assertEquals(shown.map(plain).toSorted(), described.map(plain).toSorted());
    assert(shown.length > 8);

    await page.click("#operations-Server-get-healthz .opblock-summary");
    await page.click("#operations-Server-get-healthz .execute");
    await page.waitForSelector("#operations-Server-get-healthz .live-responses-table");
    const answer = await page.innerText("#operations-Server-get-healthz .live-responses-table");
    assert(answer.includes('"status": "ok"'), answer);
    assertEquals(elsewhere, []);
    assertEquals(problems, []);
  });
});
