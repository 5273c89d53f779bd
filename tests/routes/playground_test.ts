import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { pageAgent, setUpPage } from "../fakes/page_app.ts";

const password = { type: "password", password: "open sesame" } as const;

describe("GET /", () => {
  const hosts: [url: string, status: number][] = [
    ["http://localhost:8080/", 200],
    ["http://127.0.0.1:8080/", 200],
    ["http://[::1]:8080/", 200],
    ["http://evil.example/", 403],
    ["http://localhost.evil.example/", 403],
    ["http://127.0.0.1.nip.io/", 403],
    ["http://192.168.0.2:8080/", 403],
  ];
  for (const [url, status] of hosts) {
    it(`is ${status} at ${url} where it is open to this machine`, async () => {
      assertEquals((await setUpPage().app.request(url)).status, status);
    });
  }

  it("is 404 when it is off, and says how to turn it on", async () => {
    const { app } = setUpPage({ access: { type: "off" } });
    for (const path of ["/", "/playground/app.js", "/playground/config", "/room"]) {
      const response = await app.request(path);
      assertEquals(response.status, 404);
      assertMatch((await response.json()).detail, /PLAYGROUND=1 and PLAYGROUND_PASSWORD/);
    }
  });

  it("lets the page load its own files and talk with this server, and nothing else", async () => {
    const { headers } = await setUpPage().app.request("http://localhost:8080/");
    const policy = headers.get("content-security-policy") ?? "";
    assertMatch(policy, /^default-src 'none'; script-src 'self';/);
    assertMatch(policy, /connect-src 'self' ws:\/\/localhost:8080 wss:\/\/localhost:8080;/);
    assertMatch(policy, /frame-ancestors 'none'/);
    assert(!policy.includes("unsafe"));
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "same-origin");
    assertMatch(headers.get("content-type") ?? "", /^text\/html/);
  });

  it("has no script or style inside, which the policy would not run", async () => {
    for (const file of ["index.html", "login.html"]) {
      const html = await Deno.readTextFile(new URL(`../../routes/playground/${file}`, import.meta.url));
      assertEquals(html.match(/<style|<script(?![^>]*src=)| style=| on[a-z]+=|https?:/g), null);
    }
  });

  it("is answered with 304 when nothing has changed", async () => {
    const { app } = setUpPage();
    const etag = (await app.request("/playground/app.js")).headers.get("etag") ?? "";
    const again = await app.request("/playground/app.js", { headers: { "if-none-match": etag } });
    assertEquals([etag !== "", again.status], [true, 304]);
  });

  for (
    const path of [
      "..%2fapp.ts",
      "playground.ts",
      "../app.ts",
      "index.html",
      "nothing.js",
      "a/b.js",
      "%00.js",
    ]
  ) {
    it(`has no file ${path}`, async () => {
      assertEquals((await setUpPage().app.request(`/playground/${path}`)).status, 404);
    });
  }

  it("serves every file that the page asks for", async () => {
    const { app } = setUpPage();
    for await (const { name } of Deno.readDir(new URL("../../routes/playground/", import.meta.url))) {
      if (name.endsWith(".html")) continue;
      const response = await app.request(`/playground/${name}`);
      assertEquals(response.status, 200, name);
      assertMatch(response.headers.get("content-type") ?? "", /css|javascript|svg/);
    }
  });

  it("tells the page what it is to show", async () => {
    const response = await setUpPage().app.request("/playground/config");
    assertEquals(await response.json(), {
      mode: "browser",
      agent: "assistant",
      agents: [{ ...pageAgent, name: "assistant" }, { ...pageAgent, name: "sales" }],
    });
  });
});

describe("signing in", () => {
  const signIn = (
    app: ReturnType<typeof setUpPage>["app"],
    given: string,
    { origin = "https://x.example", search = "" } = {},
  ) =>
    app.request(`https://x.example/playground/login${search}`, {
      method: "POST",
      body: new URLSearchParams({ password: given }),
      headers: { origin },
    });

  it("asks for the password, and remembers it in a cookie that no script can read", async () => {
    const { app } = setUpPage({ access: password });
    assertMatch(await (await app.request("https://x.example/")).text(), /type="password"/);
    assertEquals((await app.request("https://x.example/playground/config")).status, 401);
    const signedIn = await signIn(app, "open sesame");
    assertEquals([signedIn.status, signedIn.headers.get("location")], [303, "/"]);
    const cookie = signedIn.headers.get("set-cookie") ?? "";
    for (const part of [/HttpOnly/, /SameSite=Strict/, /Secure/, /Max-Age=43200/]) assertMatch(cookie, part);
    assert(!cookie.includes("sesame"));
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    assertMatch(await (await app.request("https://x.example/", { headers })).text(), /Start talking/);
    assertEquals((await app.request("https://x.example/playground/config", { headers })).status, 200);
  });

  it("goes on to the agent that was asked for", async () => {
    const { app } = setUpPage({ access: password });
    const locations: [given: string, location: string][] = [
      ["open sesame", "/?agent=sales"],
      ["wrong", "/?agent=sales#wrong"],
    ];
    for (const [given, location] of locations) {
      assertEquals((await signIn(app, given, { search: "?agent=sales" })).headers.get("location"), location);
    }
  });

  for (const given of ["", "open", "open sesame ", "OPEN SESAME"]) {
    it(`refuses the password "${given}"`, async () => {
      const refused = await signIn(setUpPage({ access: password }).app, given);
      assertEquals([refused.headers.get("location"), refused.headers.get("set-cookie")], ["/#wrong", null]);
    });
  }

  for (
    const cookie of ["repartee_page=9999999999999", "repartee_page=9999999999999.AAAA", "repartee_page="]
  ) {
    it(`refuses the cookie ${cookie}`, async () => {
      const { app } = setUpPage({ access: password });
      assertEquals((await app.request("/playground/config", { headers: { cookie } })).status, 401);
    });
  }

  it("takes no form of another site, and few attempts", async () => {
    const { app } = setUpPage({ access: password });
    assertEquals((await signIn(app, "open sesame", { origin: "https://evil.example" })).status, 403);
    for (let i = 0; i < 4; i++) await signIn(app, "guess");
    const late = await signIn(app, "open sesame");
    assertEquals([late.status, late.headers.get("retry-after")], [429, "10"]);
  });
});

describe("POST /playground/dispatch", () => {
  const post = (app: ReturnType<typeof setUpPage>["app"], body: unknown, origin = "http://localhost") =>
    app.request("/playground/dispatch", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { origin, "content-type": "application/json" },
    });

  it("sends the agent to the page's own room, for as long as a page's session may last", async () => {
    const { app, started, clock } = setUpPage({ sessionMs: 60_000 });
    const response = await post(app, { room: "playground-1", identity: "caller-1" });
    assertEquals([response.status, started[0]?.request.participant], [201, "caller-1"]);
    await clock.advance(60_000);
    assertEquals(started[0]?.closes, ["closed"]);
  });

  it("sends whom the page names, and says who there is when that is nobody", async () => {
    const { app, started } = setUpPage();
    const ask = { room: "playground-1", identity: "caller-1" };
    assertEquals((await post(app, { ...ask, agent: "sales" })).status, 201);
    assertEquals(started.map(({ request }) => request.agentName), ["sales"]);
    const unknown = await post(app, { ...ask, agent: "nobody" });
    assertEquals(
      [unknown.status, (await unknown.json()).detail],
      [404, 'There is no agent "nobody"; there is assistant, sales.'],
    );
  });

  it("sends it to no other room, and for no other site", async () => {
    const { app, started } = setUpPage();
    assertEquals((await post(app, { room: "boardroom", identity: "caller-1" })).status, 400);
    assertEquals(
      (await post(app, { room: "playground-1", identity: "c" }, "http://evil.example")).status,
      403,
    );
    assertEquals(started.length, 0);
  });
});
