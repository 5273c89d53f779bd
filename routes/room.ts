/** `GET /room`: the page's WebSocket; what it carries is in src/room/browser/wire.ts. */
import { Hono } from "hono";
import type { AppDependencies, AppEnv } from "./app.ts";
import { fromPage } from "./page_access.ts";
import type { PlaygroundOptions } from "./playground.ts";
import { addressOf } from "./address.ts";
import { answers, operation, refuses } from "./operation.ts";
import { problem } from "./problem.ts";
import { createRateLimit, tooMany, tooManyDescribed } from "./rate_limit.ts";

/** A page that is not heard from for this long is gone; its socket is pinged in between. */
const idleSeconds = 30;

const webSocket = operation({
  summary: "The page's call, where there is no LiveKit: a WebSocket of messages and sound",
  tags: ["Page"],
  responses: {
    101: answers("The WebSocket is open."),
    426: refuses("The request does not ask for a WebSocket."),
    ...tooManyDescribed,
  },
});

export function roomRoutes({ access, pages }: PlaygroundOptions, { clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 10, perSecond: 1, clock });
  return new Hono<AppEnv>().get("/room", webSocket, fromPage(access), (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return problem(c, 426, "Expected a WebSocket.", { headers: { upgrade: "websocket" } });
    }
    const address = addressOf(c);
    const waitMs = limit(address);
    if (waitMs > 0) return tooMany(c, waitMs);
    const { socket, response } = Deno.upgradeWebSocket(c.req.raw, { idleTimeout: idleSeconds });
    void pages.serve(socket, address);
    return response;
  });
}
