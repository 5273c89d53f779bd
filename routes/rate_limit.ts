/** How often requests are taken. Whose they are is for the route to say: a caller's token, or an address. */
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../src/clock.ts";
import { addressOf } from "./address.ts";
import type { AppEnv } from "./app.ts";
import { describes, refuses, retryAfter } from "./operation.ts";
import { problem } from "./problem.ts";

/** Takes one request of `key`; returns 0, or the milliseconds until there is one to take. */
export type RateLimit = (key: string) => number;

export interface RateLimitOptions {
  /** Requests at once. */
  readonly burst: number;
  /** Requests per second from then on. */
  readonly perSecond: number;
  /** Keys that are remembered; the one that was not seen for longest is forgotten first (default 10,000). */
  readonly maxKeys?: number;
  readonly clock: Clock;
}

/** Lets a request pass that does not come too soon after others from its address. */
export function limited(limit: RateLimit): MiddlewareHandler<AppEnv> {
  const passes: MiddlewareHandler<AppEnv> = async (c, next) => {
    const waitMs = limit(addressOf(c));
    return waitMs > 0 ? tooMany(c, waitMs) : await next();
  };
  return describes(passes, { responses: tooManyDescribed });
}

/** The answer to a request that came `waitMs` milliseconds too soon. */
export function tooMany(c: Context, waitMs: number): Response {
  const headers = { "retry-after": String(Math.ceil(waitMs / 1000)) };
  return problem(c, 429, "Too many requests; try again later.", { headers });
}

/** As the API's description has it. */
export const tooManyDescribed = { 429: refuses("Too many requests.", retryAfter) };

/** A token bucket for each key. */
export function createRateLimit({ burst, perSecond, maxKeys = 10_000, clock }: RateLimitOptions): RateLimit {
  const buckets = new Map<string, { readonly tokens: number; readonly atMs: number }>();
  return (key) => {
    const atMs = clock.now();
    const last = buckets.get(key) ?? { tokens: burst, atMs };
    const tokens = Math.min(burst, last.tokens + (atMs - last.atMs) / 1000 * perSecond);
    buckets.delete(key); // set again below: a Map keeps the order of insertion, so the oldest key stays first
    buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs });
    if (buckets.size > maxKeys) {
      const [oldest = key] = buckets.keys();
      buckets.delete(oldest);
    }
    return tokens >= 1 ? 0 : (1 - tokens) / perSecond * 1000;
  };
}
