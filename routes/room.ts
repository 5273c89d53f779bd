/** `GET /room`: the page's WebSocket; what it carries is in src/room/browser/wire.ts. */
import { Hono } from "hono";
import type { AppDependencies, AppEnv } from "./app.ts";
import { fromPage } from "./page_access.ts";
import type { PlaygroundOptions } from "./playground.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";

/** A page that is not heard from for this long is gone; its socket is pinged in between. */
const idleSeconds = 30;

export function roomRoutes({ access, pages }: PlaygroundOptions, { clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 10, perSecond: 1, clock });
  return new Hono<AppEnv>().get("/room", fromPage(access), (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return problem(c, 426, "Expected a WebSocket.", { headers: { upgrade: "websocket" } });
    }
    const address = c.env?.remoteAddr?.hostname ?? "unknown";
    const waitMs = limit(address);
    if (waitMs > 0) {
      const headers = { "retry-after": String(Math.ceil(waitMs / 1000)) };
      return problem(c, 429, "Too many connections; try again later.", { headers });
    }
    const { socket, response } = Deno.upgradeWebSocket(c.req.raw, { idleTimeout: idleSeconds });
    void pages.serve(socket, address);
    return response;
  });
}
