/** Pages: their files, and the headers they are served under. */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./app.ts";

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
};

/** The file at `url`; undefined when there is none. */
export async function staticFile(url: URL): Promise<Response | undefined> {
  try {
    const bytes = await Deno.readFile(url);
    const type = types[url.pathname.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    // Always asked for again, and mostly answered with 304: a page never mixes files of two versions.
    return new Response(bytes, { headers: { "content-type": type, "cache-control": "no-cache" } });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * The headers under which a page can load nothing but its own files and talk with nobody but this server, and with whom
 * `more` adds: directives of its content security policy, for the address that was asked for.
 */
export function secured(more: (url: URL) => Readonly<Record<string, string>>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const policy = {
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      ...more(new URL(c.req.url)),
      "base-uri": "'none'",
      "frame-ancestors": "'none'",
    };
    const directives = Object.entries(policy).map(([name, value]) => `${name} ${value}`);
    c.header("content-security-policy", directives.join("; "));
    c.header("permissions-policy", "microphone=(self), camera=(self), geolocation=()");
    c.header("referrer-policy", "same-origin"); // with no-referrer, forms would be sent with Origin: null
    c.header("x-content-type-options", "nosniff");
    c.header("x-frame-options", "DENY");
    c.header("cross-origin-opener-policy", "same-origin");
    c.header("cross-origin-resource-policy", "same-origin");
  };
}
