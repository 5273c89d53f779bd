/** LiveKit's webhooks, as its servers send them. */
import { SignJWT } from "jose";
import { createHash } from "node:crypto";

/** What a webhook says; see https://docs.livekit.io/home/server/webhooks/ */
export interface WebhookFacts {
  readonly id?: string;
  readonly room?: { readonly name?: string; readonly sid?: string };
  readonly participant?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

let count = 0;

/** The body of a webhook, with an id of its own unless it is given one. */
export function webhookBody(event: string, facts: WebhookFacts = {}): string {
  return JSON.stringify({ event, id: `EV_${++count}`, createdAt: "1795387512", ...facts });
}

/** The header that goes with `body`, signed as LiveKit does but for what is said otherwise. */
export function webhookToken(
  body: string,
  { apiKey, apiSecret }: { readonly apiKey: string; readonly apiSecret: string },
  { algorithm = "HS256", exp = 300, nbf = 0, sha256 = hashOf(body) }: {
    readonly algorithm?: string;
    /** Seconds from now; left out when it is NaN. */
    readonly exp?: number;
    readonly nbf?: number;
    readonly sha256?: unknown;
  } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const token = new SignJWT({ sha256, kind: "standard", name: "" }).setProtectedHeader({
    alg: algorithm,
    typ: "JWT",
  })
    .setIssuer(apiKey).setNotBefore(now + nbf);
  if (!Number.isNaN(exp)) token.setExpirationTime(now + exp);
  return token.sign(new TextEncoder().encode(apiSecret));
}

export const hashOf = (body: string): string => createHash("sha256").update(body).digest("base64");
