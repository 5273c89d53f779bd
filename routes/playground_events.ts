/** What the page has beside its LiveKit room: what happens in its session, and cutting the agent off. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import type { AppEnv } from "./app.ts";
import { expectedObject, jsonBody, name, readJson } from "./json_body.ts";
import { fromPage, isNoOtherOrigin } from "./page_access.ts";
import type { PlaygroundOptions } from "./playground.ts";
import { problem } from "./problem.ts";

const interruptBody = z.strictObject(
  { session: name("the session's id") },
  expectedObject('{"session": "session_1"}'),
);
const unknownSession = "There is no such session of the page's; it may have ended.";

export function playgroundEventRoutes(
  { access, pages }: Pick<PlaygroundOptions, "access" | "pages">,
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  // Server-sent events, each a message of src/room/browser/wire.ts: latency, agent-heard, error.
  app.get("/playground/events", fromPage(access, isNoOtherOrigin), (c) => {
    const session = pages.find(c.req.query("session") ?? "");
    if (!session) return problem(c, 404, unknownSession);
    return streamSSE(c, async (stream) => {
      const reader = session.read().getReader();
      stream.onAbort(() => reader.cancel());
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        await stream.writeSSE({ data: JSON.stringify(next.value) });
      }
    });
  });
  app.post("/playground/interrupt", fromPage(access), ...jsonBody, async (c) => {
    const body = await readJson(c, interruptBody);
    if (body instanceof Response) return body;
    const session = pages.find(body.session);
    if (!session) return problem(c, 404, unknownSession);
    session.interrupt();
    return c.body(null, 204);
  });
  return app;
}
