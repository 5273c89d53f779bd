import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AnsweredRequest } from "../../routes/request_id.ts";
import { fakeLog } from "../fakes/log.ts";
import { setUpPage } from "../fakes/page_app.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe("request ids", () => {
  for (
    const [what, path, method, status] of [
      ["a route's", "/healthz", "GET", 200],
      ["a page's file", "/playground/app.js", "GET", 200],
      ["nothing", "/nowhere", "GET", 404],
      ["the wrong method", "/healthz", "POST", 405],
      ["a refusal", "/dispatch", "POST", 401],
    ] as const
  ) {
    it(`are on the answer of ${what}, each its own`, async () => {
      const { app } = setUpPage();
      const ids = new Set<string>();
      for (const _ of "ab") {
        const response = await app.request(`http://localhost${path}`, { method });
        assertEquals(response.status, status);
        const id = response.headers.get("x-request-id") ?? "";
        assertMatch(id, uuid);
        ids.add(id);
        if (status >= 400) assertEquals((await response.json()).requestId, id);
      }
      assertEquals(ids.size, 2);
    });
  }

  for (
    const [id, taken] of [
      ["abc_1-2=", true],
      ["a".repeat(128), true],
      ["a".repeat(129), false],
      ['{"level":"error"}', false],
      ["a b", false],
      ["", false],
    ] as const
  ) {
    it(`${taken ? "take" : "replace"} a request's own of ${id.length} characters: ${id.slice(0, 20)}`, async () => {
      const { app } = setUpPage();
      const response = await app.request("/healthz", { headers: { "x-request-id": id } });
      assertEquals(response.headers.get("x-request-id") === id, taken);
    });
  }

  it("are in the line of each request, with its route instead of its path", async () => {
    const log = fakeLog();
    const answered: AnsweredRequest[] = [];
    const { app } = setUpPage({ log, onAnswer: (request) => answered.push(request) });
    const headers = { "x-request-id": "id-1" };
    await app.request("http://localhost/playground/app.js", { headers });
    await app.request("http://localhost/made-up/1", { method: "PURGE", headers });
    const lines = log.lines.filter(({ message }) => message === "request");
    const [file, nothing] = [
      { method: "GET", route: "/playground/:file{[a-z_]+\\.(css|js|svg)}", status: 200, ms: 0 },
      { method: "other", route: "other", status: 404, ms: 0 },
    ];
    assertEquals(lines.map(({ level, fields }) => [level, fields]), [
      ["debug", { requestId: "id-1", ...file }],
      ["debug", { requestId: "id-1", ...nothing }],
    ]);
    assertEquals(answered, [file, nothing]);
  });

  it("are in the line of what failed", async () => {
    const log = fakeLog();
    const { app } = setUpPage({ log });
    app.get("/broken", () => {
      throw new Error("a reason");
    });
    const response = await app.request("/broken", { headers: { "x-request-id": "id-2" } });
    assertEquals([response.status, response.headers.get("x-request-id")], [500, "id-2"]);
    assertEquals((await response.json()).requestId, "id-2");
    const line = log.lines.find(({ level }) => level === "error");
    assertEquals([line?.message, line?.fields.requestId], ["request failed", "id-2"]);
  });
});
