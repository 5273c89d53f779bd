/** Every request has an id, which its answer, its log lines and its problem document name; and a line in the log. */
import type { Context, MiddlewareHandler } from "hono";
import { requestId } from "hono/request-id";
import { matchedRoutes } from "hono/route";
import type { Clock } from "../src/clock.ts";
import type { Log } from "../src/log.ts";
import type { AppEnv } from "./app.ts";

/** What is told of a request that was answered. */
export interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, such as `/sessions/:id`; "other" for what no route matches. */
  readonly route: string;
  readonly status: number;
  /** Until the answer began: streams go on. */
  readonly ms: number;
}

/** Longer ids of others are not taken over. */
const maxLength = 128;

/**
 * Gives a request its id: the one that it brings in `x-request-id`, if that is of letters, digits, `_`, `-` and `=` only,
 * or a new one; then logs the answer and tells `onAnswer` of it.
 */
export function identifies(
  { clock, log, onAnswer }: {
    readonly clock: Clock;
    readonly log: Log;
    readonly onAnswer?: ((request: AnsweredRequest) => void) | undefined;
  },
): readonly [MiddlewareHandler, MiddlewareHandler<AppEnv>] {
  return [requestId({ limitLength: maxLength }), async (c, next) => {
    const sinceMs = clock.now();
    await next();
    // In place: an answer that was made outside of the context lacks it, and a WebSocket's must not be made anew.
    c.res.headers.set("x-request-id", c.var.requestId);
    const answered = { ...routeOf(c), status: c.res.status, ms: Math.round(clock.now() - sinceMs) };
    log.debug({ requestId: c.var.requestId, ...answered }, "request");
    onAnswer?.(answered);
  }];
}

/** Only what is registered: whoever asks can make up paths and methods without end. */
function routeOf(c: Context): Pick<AnsweredRequest, "method" | "route"> {
  const route = matchedRoutes(c).at(-1);
  if (!route || route.method === "ALL") return { method: "other", route: "other" };
  return { method: c.req.method, route: route.path };
}
