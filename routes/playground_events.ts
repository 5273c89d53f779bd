/** What the page has beside its LiveKit room: what happens in its session, and cutting the agent off. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import type { AppDependencies, AppEnv } from "./app.ts";
import { expectedObject, json, name, query } from "./json_body.ts";
import { answers, operation, refuses } from "./operation.ts";
import { fromPage, isNoOtherOrigin } from "./page_access.ts";
import type { PlaygroundOptions } from "./playground.ts";
import { problem } from "./problem.ts";
import { createRateLimit, limited } from "./rate_limit.ts";

const interruptBody = z.strictObject(
  { session: name("the session's id") },
  expectedObject('{"session": "session_1"}'),
).meta({ example: { session: "session_1" } });
const eventsQuery = z.object({ session: z.string().default("").meta({ description: "The session's id." }) });
const unknownSession = "There is no such session of the page's; it may have ended.";

export function playgroundEventRoutes(
  { access, pages }: Pick<PlaygroundOptions, "access" | "pages">,
  { clock }: Pick<AppDependencies, "clock">,
): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 2, clock });
  const app = new Hono<AppEnv>();
  // Server-sent events, each a message of src/room/browser/wire.ts: latency, agent-heard, error.
  app.get(
    "/playground/events",
    operation({
      summary: "What happens in the page's session",
      tags: ["Page"],
      responses: {
        200: answers("Server-sent events, from now on; each is an object with a type.", z.string(), {
          type: "text/event-stream",
        }),
        404: refuses("There is no such session."),
      },
    }),
    fromPage(access, isNoOtherOrigin),
    limited(limit),
    query(eventsQuery),
    (c) => {
      const session = pages.find(c.req.valid("query").session);
      if (!session) return problem(c, 404, unknownSession);
      return streamSSE(c, async (stream) => {
        const reader = session.read().getReader();
        stream.onAbort(() => reader.cancel());
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          await stream.writeSSE({ data: JSON.stringify(next.value) });
        }
      });
    },
  );
  app.post(
    "/playground/interrupt",
    operation({
      summary: "Cut the agent off",
      tags: ["Page"],
      responses: { 204: answers("It is silent."), 404: refuses("There is no such session.") },
    }),
    fromPage(access),
    limited(limit),
    json(interruptBody),
    (c) => {
      const session = pages.find(c.req.valid("json").session);
      if (!session) return problem(c, 404, unknownSession);
      session.interrupt();
      return c.body(null, 204);
    },
  );
  return app;
}
