/** `POST /webhooks/livekit`: what LiveKit tells of rooms and participants. https://docs.livekit.io/home/server/webhooks/ */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { jwtVerify } from "jose";
import { createHash, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { wallTime } from "../src/clock.ts";
import type { LiveKitConfig } from "../src/config.ts";
import { addressOf } from "./address.ts";
import { leewaySeconds } from "./auth.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { answers, describes, operation, refuses, retryAfter } from "./operation.ts";
import { problem } from "./problem.ts";
import { createRateLimit, tooMany } from "./rate_limit.ts";

const maxBodyBytes = 1024 * 1024;

/**
 * Requests that no webhook of LiveKit's are, from one address. Genuine ones are never counted: LiveKit sends them in bursts,
 * and what it is refused it sends again only twice.
 */
const forgeries = { burst: 100, perSecond: 10 };

const claims = z.object({ sha256: z.base64() });

const noKeys =
  "This server has no LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET: it knows no webhook's sender.";
const unsigned =
  "Expected a webhook of LiveKit: signed with this server's API key, and of the body that was signed.";

/**
 * A webhook is answered as soon as its signature and its body's hash are good, also while the server drains: LiveKit sends
 * it again when it is refused, and what comes after it waits meanwhile. What follows from it is begun afterwards.
 */
export function webhookRoutes({ livekit, webhooks, clock }: AppDependencies): Hono<AppEnv> {
  const limit = createRateLimit({ ...forgeries, clock });
  const refuse = (c: Context<AppEnv>) => {
    const waitMs = limit(addressOf(c));
    return waitMs > 0 ? tooMany(c, waitMs) : unauthorized(c);
  };
  return new Hono<AppEnv>().post(
    "/webhooks/livekit",
    operation({
      summary: "Takes LiveKit's webhooks",
      description:
        "To be entered with LiveKit. A room where somebody comes is sent the agent that its metadata names, " +
        'as `{"agent": "support"}`, or `AUTO_AGENT`.',
      tags: ["LiveKit"],
      security: [],
      requestBody: {
        required: true,
        content: { "application/webhook+json": { schema: z.looseObject({ event: z.string() }) } },
      },
      responses: {
        200: answers("The webhook is genuine; what follows from it is done afterwards."),
        401: refuses("The signature is missing or wrong, or of another body.", {
          "WWW-Authenticate": "What is expected.",
        }),
        429: refuses(
          "Too many requests that are no webhooks of LiveKit's; genuine ones are always taken.",
          retryAfter,
        ),
        503: refuses("The server has no LiveKit keys."),
      },
    }),
    describes(
      bodyLimit({
        maxSize: maxBodyBytes,
        onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
      }),
      { responses: { 413: refuses("The body is larger than 1 MiB.") } },
    ),
    async (c) => {
      if (!livekit || !webhooks) return problem(c, 503, noKeys);
      // The token first: of whom nothing is known, no body is read.
      const signed = await signedHash(c.req.header("authorization") ?? "", livekit);
      if (!signed) return refuse(c);
      const body = new Uint8Array(await c.req.arrayBuffer());
      const hash = createHash("sha256").update(body).digest();
      if (signed.length !== hash.length || !timingSafeEqual(signed, hash)) return refuse(c);
      clock.after(0, () => webhooks.accept(new TextDecoder().decode(body)));
      return c.body(null, 200);
    },
  );
}

/** The hash of the body that the token was signed for; undefined when the token is not one of LiveKit's. */
async function signedHash(
  header: string,
  { apiKey, apiSecret }: LiveKitConfig,
): Promise<Uint8Array | undefined> {
  const token = header.replace(/^Bearer +/i, "").trim(); // LiveKit itself sends the bare token
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(apiSecret), {
      algorithms: ["HS256"],
      issuer: apiKey,
      requiredClaims: ["exp"],
      clockTolerance: leewaySeconds,
      currentDate: new Date(wallTime()),
    });
    return Uint8Array.fromBase64(claims.parse(payload).sha256);
  } catch {
    return undefined; // forged, expired, malformed: the sender is told nothing more
  }
}

function unauthorized(c: Context): Response {
  return problem(c, 401, unsigned, { headers: { "www-authenticate": 'Bearer realm="repartee"' } });
}
