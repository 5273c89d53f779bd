/** `GET /healthz`: the process is alive. `GET /readyz`: it would take a new session. */
import { Hono } from "hono";
import * as z from "zod";
import type { AppDependencies, AppEnv } from "./app.ts";
import { answers, operation, refuses, retryAfter } from "./operation.ts";
import { comeBack, problem } from "./problem.ts";

const status = (word: string) => z.object({ status: z.literal(word) });

export function healthRoutes({ dispatcher }: AppDependencies): Hono<AppEnv> {
  return new Hono<AppEnv>()
    .get(
      "/healthz",
      operation({
        summary: "Whether the process is alive",
        tags: ["Server"],
        responses: { 200: answers("It is, also when it is full or shutting down.", status("ok")) },
      }),
      (c) => c.json({ status: "ok" }),
    )
    .get(
      "/readyz",
      operation({
        summary: "Whether a new session would be taken",
        tags: ["Server"],
        responses: {
          200: answers("It would.", status("ready")),
          503: refuses("It has no place for one, and says why, or is shutting down.", retryAfter),
        },
      }),
      (c) => {
        const { refusal } = dispatcher;
        switch (refusal?.type) {
          case undefined:
            return c.json({ status: "ready" });
          case "full":
            return problem(c, 503, `${refusal.reason}.`, { headers: comeBack, limit: refusal.limit });
          case "draining":
            return problem(c, 503, "The server is shutting down.", { headers: comeBack });
        }
      },
    );
}
