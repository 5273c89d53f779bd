/** `GET /healthz`: the process is alive. `GET /readyz`: it would take a new session. */
import { Hono } from "hono";
import type { AppDependencies, AppEnv } from "./app.ts";
import { problem } from "./problem.ts";

export function healthRoutes({ dispatcher }: AppDependencies): Hono<AppEnv> {
  return new Hono<AppEnv>()
    .get("/healthz", (c) => c.json({ status: "ok" }))
    .get("/readyz", (c) => {
      switch (dispatcher.readiness) {
        case "ready":
          return c.json({ status: "ready" });
        case "full":
          return problem(c, 503, "Every place for a session is taken.");
        case "draining":
          return problem(c, 503, "The server is shutting down.");
      }
    });
}
