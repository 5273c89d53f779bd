import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createMetricsApp } from "../../routes/metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { fakeClock } from "../fakes/clock.ts";
import { setUpPage } from "../fakes/page_app.ts";

describe("GET /metrics", () => {
  it("is Prometheus' text, without a token, and counts the requests before", async () => {
    using metrics = createMetrics({ clock: fakeClock() });
    const { app } = setUpPage({ metrics, onAnswer: metrics.answered });
    await app.request("/nowhere/with/a/name");
    await app.request("/healthz");
    const response = await app.request("/metrics");
    assertEquals([response.status, response.headers.get("content-type")], [200, metrics.contentType]);
    const text = await response.text();
    assertMatch(text, /^repartee_http_requests_total\{method="GET",route="\/healthz",status="200"\} 1$/m);
    assertMatch(text, /^repartee_http_requests_total\{method="other",route="other",status="404"\} 1$/m);
    assertEquals(text.includes("nowhere"), false);
  });

  it("is not there when it has a port of its own, which has nothing else", async () => {
    const { app } = setUpPage();
    assertEquals((await app.request("/metrics")).status, 404);
    const clock = fakeClock();
    using metrics = createMetrics({ clock });
    const alone = createMetricsApp(metrics, { clock });
    assertEquals((await alone.request("/metrics")).status, 200);
    for (const path of ["/", "/healthz", "/dispatch", "/openapi.json"]) {
      assertEquals((await alone.request(path)).status, 404);
    }
  });

  it("is limited per address: the numbers are gathered anew each time", async () => {
    const clock = fakeClock();
    using metrics = createMetrics({ clock });
    const alone = createMetricsApp(metrics, { clock });
    const scrape = (hostname: string) => alone.request("/metrics", {}, { remoteAddr: { hostname } });
    for (let n = 0; n < 20; n++) assertEquals((await scrape("10.0.0.1")).status, 200);
    const late = await scrape("10.0.0.1");
    assertEquals([late.status, late.headers.get("retry-after")], [429, "1"]);
    assertEquals((await scrape("10.0.0.2")).status, 200);
    await clock.advance(500);
    assertEquals((await scrape("10.0.0.1")).status, 200);
  });
});
