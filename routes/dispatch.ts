/** `POST /dispatch`: sends an agent to a room. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import type { DispatchResult } from "../src/dispatch/dispatcher.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { expectedObject, jsonBody, name, readJson } from "./json_body.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";

const retryAfter = { "retry-after": "10" };

const dispatchBody = z.strictObject({
  room: name("the room's name"),
  agent: name("an agent's name").optional(),
  metadata: z.string("expected a string; stringify JSON").optional(),
  participant: name("a participant's identity").optional(),
}, expectedObject('{"room": "my-room"}'));

export function dispatchRoutes({ dispatcher, livekit, clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 5, clock });
  return new Hono<AppEnv>().post(
    "/dispatch",
    authenticate(livekit, limit),
    ...jsonBody,
    async (c) => {
      const body = await readJson(c, dispatchBody);
      if (body instanceof Response) return body;
      const { room, agent, metadata, participant } = body;
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
      return dispatchAnswer(
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

/** What a dispatch came to, as HTTP says it. */
export function dispatchAnswer(c: Context, result: DispatchResult): Response {
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
