/** Every answer that is not a success: problem details for HTTP APIs (RFC 9457). */
import type { Context, ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { STATUS_CODES } from "node:http";
import type { Log } from "../src/log.ts";

/** With a refusal that passes: seconds after which to ask again. */
export const comeBack = { "retry-after": "10" };

/**
 * An `application/problem+json` answer. `detail`: what went wrong and what was expected, in words. `members`: further
 * facts for programs, beside the standard ones.
 */
export function problem(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  { headers = {}, ...members }: {
    readonly headers?: Record<string, string>;
    readonly [member: string]: unknown;
  } = {},
): Response {
  const requestId: string | undefined = c.get("requestId");
  const body = { type: "about:blank", title: STATUS_CODES[status], status, detail, ...members, requestId };
  return c.body(JSON.stringify(body), status, { ...headers, "content-type": "application/problem+json" });
}

export const notFound: NotFoundHandler = (c) => problem(c, 404, `There is nothing at ${c.req.path}.`);

export function methodNotAllowed(c: Context, methods: string[]): Response {
  const allow = methods.join(", ");
  return problem(c, 405, `${c.req.path} takes ${allow}, not ${c.req.method}.`, { headers: { allow } });
}

/** Answers what a route threw: 500, and the reason in the log only. */
export function onError(log: Log): ErrorHandler {
  return (error, c) => {
    if (error instanceof HTTPException && error.status < 500) return problem(c, error.status, error.message);
    if (c.req.raw.signal.aborted) return problem(c, 400, "The request was broken off."); // nobody reads this
    const requestId: string | undefined = c.get("requestId");
    log.error({ requestId, error, method: c.req.method, path: c.req.path }, "request failed");
    return problem(c, 500, "Something failed here; the server's log says what.");
  };
}
