/** Whose pages, in browsers, may call the API: nobody's, unless CORS_ORIGINS names their origins. */
import type { Hono } from "hono";
import { cors } from "hono/cors";
import type { AppEnv } from "./app.ts";

/** What is for programs. The page's own routes are for this server's page alone, and webhooks come from no browser. */
const api = [
  "/dispatch",
  "/token",
  "/sessions",
  "/sessions/*",
  "/twirp/*",
  "/healthz",
  "/readyz",
  "/openapi.json",
];

/**
 * Lets pages of `origins` call the API with a token; cookies are never taken from there. Preflights are answered, those
 * of other origins without the leave that their browsers look for.
 */
export function allowOrigins(app: Hono<AppEnv>, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = cors({
    origin: [...origins],
    allowMethods: ["GET", "POST", "DELETE"],
    allowHeaders: ["Authorization", "Content-Type", "Last-Event-ID", "X-Request-Id"],
    exposeHeaders: ["Retry-After", "WWW-Authenticate", "X-Request-Id"],
    maxAge: 600,
  });
  for (const path of api) app.use(path, allowed);
}
