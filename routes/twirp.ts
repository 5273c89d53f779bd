/**
 * `POST /twirp/livekit.AgentDispatchService/…`: LiveKit's own clients, pointed here, dispatch to this server. Requests,
 * answers and errors are Twirp's (https://twitchtv.github.io/twirp/docs/spec_v7.html).
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { agentDispatchService, type Encoding, type RefusalCode } from "../src/dispatch/agent_dispatch.ts";
import type { SessionArchive } from "../src/telemetry/archive.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { operation } from "./operation.ts";
import { comeBack, problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";

const service = "/twirp/livekit.AgentDispatchService";
const maxBodyBytes = 64 * 1024;

type ErrorCode = RefusalCode | "bad_route" | "unauthenticated" | "internal";

const statuses: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  malformed: 400,
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  bad_route: 404,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
};

/** What a refusal is called that was made before the service was asked. */
const codes: Readonly<Record<number, ErrorCode>> = {
  401: "unauthenticated",
  404: "bad_route",
  413: "resource_exhausted",
  429: "resource_exhausted",
  503: "unavailable",
};

/** The routes of the service; a token sees and touches its own room's dispatches only. */
export function twirpRoutes(
  archive: SessionArchive,
  { dispatcher, livekit, relay, elsewhere, clock, log }: Pick<
    AppDependencies,
    "dispatcher" | "livekit" | "relay" | "elsewhere" | "clock" | "log"
  >,
): Hono<AppEnv> {
  const methods = agentDispatchService({ dispatcher, archive, elsewhere, relay, clock, log });
  const limit = createRateLimit({ burst: 40, perSecond: 10, clock });
  const routes = new Hono<AppEnv>().use("/twirp/*", inTwirpsWords);
  for (const [name, method] of methods) {
    routes.post(
      `${service}/${name}`,
      operation("undocumented"), // LiveKit describes its own service; and errors are not problems here
      authenticate(livekit, limit),
      bodyLimit({
        maxSize: maxBodyBytes,
        onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
      }),
      async (c) => {
        const encoding = encodingOf(c);
        if (!encoding) {
          const type = c.req.header("content-type") ?? "";
          return twirpError(c, "bad_route", `unexpected Content-Type: ${JSON.stringify(type)}`);
        }
        const body = new Uint8Array(await c.req.arrayBuffer());
        const authorization = c.req.header("authorization") ?? "";
        const answer = await method(body, { encoding, room: c.var.grants.adminOf, authorization });
        if (answer.type === "refused") return twirpError(c, answer.code, answer.reason);
        return c.body(answer.body, 200, { "content-type": `application/${encoding}` });
      },
    );
  }
  return routes;
}

/** Says as Twirp does what is otherwise said as a problem: that there is no valid token, or too many requests. */
const inTwirpsWords: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  if (c.res.headers.get("content-type") !== "application/problem+json") return;
  const { status, detail } = await c.res.json();
  const headers = new Headers(c.res.headers);
  const { code, body } = errorBody(codes[status] ?? "internal", detail);
  headers.set("content-type", "application/json");
  c.res = undefined; // otherwise the headers of the problem would be merged into the new answer
  c.res = new Response(body, { status: statuses[code], headers });
};

function twirpError(c: Context, code: ErrorCode, message: string): Response {
  const headers = { "content-type": "application/json", ...(code === "resource_exhausted" && comeBack) };
  return c.body(errorBody(code, message).body, statuses[code], headers);
}

function errorBody(code: ErrorCode, message: string): { readonly code: ErrorCode; readonly body: string } {
  return { code, body: JSON.stringify({ code, msg: message }) };
}

function encodingOf(c: Context): Encoding | undefined {
  const [type = ""] = (c.req.header("content-type") ?? "").split(";");
  switch (type.trim().toLowerCase()) {
    case "application/json":
      return "json";
    case "application/protobuf":
      return "protobuf";
    default:
      return undefined;
  }
}
