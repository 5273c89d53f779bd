/** `POST /token`: a LiveKit access token with which a caller joins a room. */
import { Hono, type MiddlewareHandler } from "hono";
import { SignJWT } from "jose";
import * as z from "zod";
import { wallTime } from "../src/clock.ts";
import type { LiveKitConfig } from "../src/config.ts";
import { pageRoomPrefix } from "../src/dispatch/pages.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { expectedObject, json, name } from "./json_body.ts";
import { answers, describes, descriptionOf, operation, refuses } from "./operation.ts";
import { fromPage } from "./page_access.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";

/** How long a token may be used to join with; whoever is in the room stays. */
const ttlSeconds = 10 * 60;

const tokenBody = z.strictObject({
  room: name("the room's name").optional().meta({ description: "The room of the token that asks." }),
  identity: name("the caller's identity").optional().meta({ description: "One that is like no other." }),
}, expectedObject('{"room": "my-room"}')).meta({ example: { room: "my-room", identity: "caller-1" } });

const tokenAnswer = z.object({
  url: z.string().meta({ description: "Where LiveKit is.", example: "wss://my-project.livekit.cloud" }),
  room: z.string(),
  identity: z.string(),
  token: z.string().meta({ description: `To join with, within ${ttlSeconds / 60} minutes.` }),
}).meta({ id: "CallerToken" });

/** The token is for who could dispatch to the room, or for the page, which is given a room of its own. */
export function tokenRoutes({ playground, livekit, clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ burst: 20, perSecond: 5, clock });
  const byToken = authenticate(livekit, limit);
  const access = playground?.access ?? { type: "off" };
  const byPage = fromPage(access);
  const authorize: MiddlewareHandler<AppEnv> = (c, next) =>
    c.req.header("authorization") === undefined && access.type !== "off" ? byPage(c, next) : byToken(c, next);
  describes(authorize, descriptionOf(byToken) ?? {});
  return new Hono<AppEnv>().post(
    "/token",
    operation({
      summary: "A token with which a caller joins a room",
      tags: ["Dispatch"],
      responses: {
        200: answers("The token, and where to use it.", tokenAnswer),
        403: refuses("The token is not for that room."),
        503: refuses("This server has no LiveKit."),
      },
    }),
    async (c, next) => {
      if (livekit) return await next();
      return problem(
        c,
        503,
        "This server has no LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET: it has no rooms.",
      );
    },
    authorize,
    json(tokenBody),
    async (c) => {
      const body = c.req.valid("json");
      const adminOf = c.var.grants?.adminOf;
      const { identity = `caller-${crypto.randomUUID()}` } = body;
      const room = body.room ?? adminOf ?? `${pageRoomPrefix}${crypto.randomUUID()}`;
      if (c.var.grants ? adminOf !== room : !room.startsWith(pageRoomPrefix)) {
        return problem(
          c,
          403,
          `Expected a token with the grants roomAdmin and room ${JSON.stringify(room)}.`,
        );
      }
      if (!livekit) throw new Error("unreachable: answered 503 above");
      return c.json({ url: livekit.url, room, identity, token: await callerToken(livekit, room, identity) });
    },
  );
}

/** See https://docs.livekit.io/home/get-started/authentication/ for the claims. */
function callerToken({ apiKey, apiSecret }: LiveKitConfig, room: string, identity: string): Promise<string> {
  const video = { room, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true };
  const nowSeconds = Math.floor(wallTime() / 1000);
  return new SignJWT({ video }).setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuer(apiKey).setSubject(identity)
    .setNotBefore(nowSeconds - 10).setExpirationTime(nowSeconds + ttlSeconds)
    .sign(new TextEncoder().encode(apiSecret));
}
