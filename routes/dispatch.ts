/** `POST /dispatch`: sends an agent to a room. */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import type { DispatchResult } from "../src/dispatch/dispatcher.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";

const maxBodyBytes = 64 * 1024;
const retryAfter = { "retry-after": "10" };

const name = (what: string) =>
  z.string({ error: `expected ${what}, as a string` }).min(1, `expected ${what}, not an empty string`)
    .max(256, `expected ${what}, in up to 256 characters`);

const dispatchBody = z.strictObject({
  room: name("the room's name"),
  agent: name("an agent's name").optional(),
  metadata: z.string("expected a string; stringify JSON").optional(),
  participant: name("a participant's identity").optional(),
}, {
  error: ({ code }) =>
    code === "unrecognized_keys" ? undefined : 'expected a JSON object, such as {"room": "my-room"}',
});

export function dispatchRoutes({ dispatcher, livekit, clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 5, clock });
  return new Hono<AppEnv>().post(
    "/dispatch",
    authenticate(livekit, limit),
    async (c, next) => {
      if (/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) return await next();
      return problem(c, 415, "Expected a body of `Content-Type: application/json`.");
    },
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
    }),
    async (c) => {
      const body = dispatchBody.safeParse(parseJson(await c.req.text()));
      if (!body.success) {
        const errors = body.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
        const words = errors.map(({ field, message }) => field ? `${field}: ${message}` : message);
        return problem(c, 400, words.join("; "), { errors });
      }
      const { room, agent, metadata, participant } = body.data;
      if (c.var.grants.adminOf !== room) {
        return problem(
          c,
          403,
          `Expected a token with the grants roomAdmin and room ${JSON.stringify(room)}.`,
          {
            headers: { "www-authenticate": 'Bearer realm="repartee", error="insufficient_scope"' },
          },
        );
      }
      return answer(
        c,
        await dispatcher.dispatch({
          room,
          ...(agent !== undefined && { agent }),
          ...(metadata !== undefined && { metadata }),
          ...(participant !== undefined && { participant }),
        }),
      );
    },
  );
}

function answer(c: Context, result: DispatchResult): Response {
  switch (result.type) {
    case "created":
      return c.json(result.session, result.session.state === "connected" ? 201 : 202);
    case "existing":
      return c.json(result.session, 200);
    case "conflict":
      return problem(
        c,
        409,
        `${result.session.agent} is in ${result.session.room} already, with another participant or other metadata.`,
        { sessionId: result.session.sessionId },
      );
    case "unknown-agent":
      return problem(
        c,
        404,
        `There is no agent ${JSON.stringify(result.agent)}; there is ${result.known.join(", ")}.`,
      );
    case "failed":
      return problem(c, 503, `The agent could not be sent: ${result.reason}.`);
    case "full":
      return problem(c, 503, `All ${result.maxSessions} places are taken; try again later.`, {
        headers: retryAfter,
      });
    case "draining":
      return problem(c, 503, "The server is shutting down.", { headers: retryAfter });
  }
}

/** What `text` says; undefined when it is not JSON, which no body may be. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
