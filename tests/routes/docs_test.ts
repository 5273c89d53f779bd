import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setUpPage } from "../fakes/page_app.ts";

describe("GET /docs", () => {
  it("is a page that loads nothing but this server's files", async () => {
    const { app } = setUpPage();
    const response = await app.request("/docs");
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
    const policy = response.headers.get("content-security-policy") ?? "";
    assertMatch(policy, /default-src 'none'; script-src 'self'; style-src 'self';.*connect-src 'self'/);
    assert(!policy.includes("unsafe"), policy);
    const html = await response.text();
    assert(!/<script(?![^>]*src=)|style=|https?:/.test(html));
    const files = [...html.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, file = ""]) => file);
    assertEquals(files.length, 4);
    for (const file of files) {
      const { status, headers } = await app.request(`/${file}`);
      assertEquals([status, headers.get("content-security-policy")], [200, policy]);
      assert(headers.get("content-type") !== "application/octet-stream");
    }
  });

  for (const file of ["package.json", "swagger-ui.js", "__proto__", "..%2f..%2fmain.ts", "nothing"]) {
    it(`has no file ${file}`, async () => {
      const response = await setUpPage().app.request(`/docs/${file}`);
      assertEquals([response.status, response.headers.get("content-type")], [
        404,
        "application/problem+json",
      ]);
    });
  }

  it("is answered with 304 when nothing has changed", async () => {
    const { app } = setUpPage();
    const tag = (await app.request("/docs/swagger-ui.css")).headers.get("etag") ?? "";
    const again = await app.request("/docs/swagger-ui.css", { headers: { "if-none-match": tag } });
    assertEquals(again.status, 304);
  });
});
