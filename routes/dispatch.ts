/** `POST /dispatch`: sends an agent to a room. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import type { DispatchedSession, DispatchResult } from "../src/dispatch/dispatcher.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { expectedObject, json, name } from "./json_body.ts";
import { answers, operation, refuses, retryAfter as retryAfterDescribed } from "./operation.ts";
import { comeBack, problem } from "./problem.ts";
import { elsewhereIn } from "./fly.ts";
import { createRateLimit } from "./rate_limit.ts";

const dispatchBody = z.strictObject({
  room: name("the room's name"),
  agent: name("an agent's name").optional().meta({ description: "From the registry; the default agent." }),
  metadata: z.string("expected a string; stringify JSON").optional().meta({
    description: "Handed to the agent as it is.",
  }),
  participant: name("a participant's identity").optional().meta({
    description: "Whom the agent talks with; whoever comes first.",
  }),
  region: z.string("expected a region of Fly.io's").regex(
    /^[a-z]{3}$/,
    "expected a region of Fly.io's, such as fra",
  )
    .optional().meta({
      description:
        "On Fly.io: where the agent is to run, if there is a machine that can; elsewhere it is ignored.",
    }),
}, expectedObject('{"room": "my-room"}')).meta({
  id: "Dispatch",
  example: { room: "my-room", agent: "assistant", metadata: "", participant: "caller-1" },
});

const sessionSchema = z.object({
  sessionId: z.string(),
  room: z.string(),
  agent: z.string(),
  state: z.enum(["connecting", "connected"]).meta({
    description: '"connected" once the agent is in the room.',
  }),
}).meta({
  id: "DispatchedSession",
  example: { sessionId: "session_1", room: "my-room", agent: "assistant", state: "connected" },
}) satisfies z.ZodType<DispatchedSession>;

/** What `dispatchAnswer` answers, as the API's description has it. */
export const dispatchAnswers = {
  200: answers("The agent was there already; the session that is there.", sessionSchema),
  201: answers("The agent is in the room.", sessionSchema),
  202: answers("The agent is on its way; it takes longer than 2 s.", sessionSchema),
  404: refuses("There is no agent of that name."),
  409: refuses(
    "The agent is in the room already, with another participant or other metadata: in session `sessionId`.",
  ),
  503: refuses(
    "The agent could not be sent: the server has no place for it, or is shutting down, or it failed.",
    {
      "Retry-After": `${retryAfterDescribed["Retry-After"]} Not when it failed.`,
    },
  ),
};

export function dispatchRoutes({ dispatcher, livekit, fly, clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 5, clock });
  return new Hono<AppEnv>().post(
    "/dispatch",
    operation({
      summary: "Send an agent to a room",
      tags: ["Dispatch"],
      responses: { ...dispatchAnswers, 403: refuses("The token is not for that room.") },
    }),
    authenticate(livekit, limit),
    json(dispatchBody),
    async (c) => {
      const { room, agent, metadata, participant, region } = c.req.valid("json");
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
      const headers = elsewhereIn(c, { here: fly, wanted: region });
      if (headers) return problem(c, 503, `The dispatch is for region ${region}.`, { headers });
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
      return problem(c, 503, `${result.reason}; try again later.`, { headers: comeBack });
    case "draining":
      return problem(c, 503, "The server is shutting down.", { headers: comeBack });
  }
}
