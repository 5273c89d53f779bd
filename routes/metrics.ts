/**
 * `GET /metrics`: what is counted, for Prometheus. It asks for no token, as scrapers expect, and holds no names of rooms or
 * people; where even numbers are nobody's business, METRICS_PORT keeps them on a port of their own.
 */
import { Hono } from "hono";
import * as z from "zod";
import type { Clock } from "../src/clock.ts";
import { knowsAddress } from "./address.ts";
import type { AppEnv } from "./app.ts";
import { answers, operation } from "./operation.ts";
import { notFound } from "./problem.ts";
import { createRateLimit, limited } from "./rate_limit.ts";

/** What is shown. */
export interface MetricsText {
  text(): Promise<string>;
  readonly contentType: string;
}

export function metricsRoutes(metrics: MetricsText, { clock }: { readonly clock: Clock }): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 2, clock });
  return new Hono<AppEnv>().get(
    "/metrics",
    operation({
      summary: "What is counted, for Prometheus",
      description: "Holds no names of rooms or people. With METRICS_PORT it is on that port alone.",
      tags: ["Server"],
      responses: { 200: answers("Prometheus' text format.", z.string(), { type: "text/plain" }) },
    }),
    limited(limit),
    async (c) => c.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
}

/** What METRICS_PORT serves: the metrics, and nothing else. */
export function createMetricsApp(metrics: MetricsText, { clock }: { readonly clock: Clock }): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(knowsAddress());
  app.route("/", metricsRoutes(metrics, { clock }));
  app.notFound(notFound);
  return app;
}
