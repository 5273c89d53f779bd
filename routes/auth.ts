/** Who may send agents where: the bearer of a LiveKit access token that makes them an admin of the room. */
import type { MiddlewareHandler } from "hono";
import { jwtVerify } from "jose";
import * as z from "zod";
import { wallTime } from "../src/clock.ts";
import type { LiveKitConfig } from "../src/config.ts";
import { addressOf } from "./address.ts";
import type { AppEnv } from "./app.ts";
import { describes, refuses } from "./operation.ts";
import { problem } from "./problem.ts";
import { type RateLimit, tooMany, tooManyDescribed } from "./rate_limit.ts";

/** What a verified token says; see https://docs.livekit.io/home/get-started/authentication/ for LiveKit's claims. */
export interface Grants {
  readonly identity: string;
  /** The room that the bearer is an admin of; undefined when of none. */
  readonly adminOf: string | undefined;
}

const claims = z.object({
  sub: z.string().default(""),
  video: z.object({ room: z.string(), roomAdmin: z.literal(true) }).optional().catch(undefined),
});

/** Clocks differ: by a minute, as LiveKit's own servers allow, and a little for the way. */
export const leewaySeconds = 65;

/**
 * Lets a request pass that carries a token signed with our secret, and keeps its grants in `c.var.grants`. Requests are
 * limited per bearer and room, and those without a valid token per address.
 */
export function authenticate(
  livekit: LiveKitConfig | undefined,
  limit: RateLimit,
): MiddlewareHandler<AppEnv> {
  const passes: MiddlewareHandler<AppEnv> = async (c, next) => {
    const token = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const grants = token && livekit ? await verify(token, livekit) : undefined;
    const waitMs = limit(grants ? JSON.stringify([grants.identity, grants.adminOf]) : addressOf(c));
    if (waitMs > 0) return tooMany(c, waitMs);
    if (!grants) {
      const challenge = token ? 'Bearer realm="repartee", error="invalid_token"' : 'Bearer realm="repartee"';
      return problem(c, 401, reasonFor(token, livekit), { headers: { "www-authenticate": challenge } });
    }
    c.set("grants", grants);
    await next();
  };
  return describes(passes, {
    security: [{ token: [] }],
    responses: {
      401: refuses("There is no token, or it is not valid.", {
        "WWW-Authenticate": "What is expected (RFC 6750).",
      }),
      ...tooManyDescribed,
    },
  });
}

async function verify(token: string, { apiKey, apiSecret }: LiveKitConfig): Promise<Grants | undefined> {
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(apiSecret), {
      algorithms: ["HS256"],
      issuer: apiKey,
      requiredClaims: ["exp"],
      clockTolerance: leewaySeconds,
      currentDate: new Date(wallTime()),
    });
    const { sub, video } = claims.parse(payload);
    return { identity: sub, adminOf: video?.room };
  } catch {
    return undefined; // forged, expired, malformed: all the same to the bearer, who is told nothing more
  }
}

function reasonFor(token: string | undefined, livekit: LiveKitConfig | undefined): string {
  if (!livekit) {
    return "This server has no LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, so it accepts no token.";
  }
  if (!token) return "Expected a LiveKit access token: `Authorization: Bearer <token>`.";
  return "The token is not valid: expected one that is signed with this server's LiveKit API key and has not expired.";
}
