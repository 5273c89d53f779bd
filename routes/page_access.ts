/**
 * Who may use the page. Where it is open to this machine only, the Host and Origin headers must name this machine: another
 * site's page, under a name that it makes resolve to 127.0.0.1 (DNS rebinding), has its own name in them. Elsewhere a
 * password is asked for once and a signed cookie remembers it.
 */
import type { Context, MiddlewareHandler } from "hono";
import { getSignedCookie, setSignedCookie } from "hono/cookie";
import { createHash, timingSafeEqual } from "node:crypto";
import { wallTime } from "../src/clock.ts";
import { isLoopback, type PlaygroundAccess } from "../src/config.ts";
import type { AppEnv } from "./app.ts";
import { describes, refuses } from "./operation.ts";
import { problem } from "./problem.ts";

const cookieName = "repartee_page";
const signedInSeconds = 12 * 60 * 60;

/** Lets a request for the page itself pass: the page is on, and asked for by a name it may have. */
export function pageIsOn(access: PlaygroundAccess): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (access.type === "off") {
      return problem(c, 404, "The page is off; PLAYGROUND=1 and PLAYGROUND_PASSWORD turn it on.");
    }
    if (access.type === "local" && !isLoopback(new URL(c.req.url).hostname)) {
      return problem(
        c,
        403,
        "The page is open to this machine only; expected http://localhost with the port.",
      );
    }
    await next();
  };
}

/**
 * Lets a request pass that the page itself made: of its own origin (`isOwn` says so), and signed in where that is asked
 * for.
 */
export function fromPage(
  access: PlaygroundAccess,
  isOwn: (c: Context) => boolean = isOwnOrigin,
): MiddlewareHandler<AppEnv> {
  const isOn = pageIsOn(access);
  const passes: MiddlewareHandler<AppEnv> = (c, next) =>
    isOn(c, async () => {
      if (!isOwn(c)) {
        c.res = problem(c, 403, "Expected a request that this server's own page made.");
      } else if (!await isSignedIn(c, access)) {
        c.res = problem(c, 401, "Sign in on the page first.", { headers: { "www-authenticate": "Cookie" } });
      } else await next();
    });
  return describes(passes, {
    security: [{ page: [] }],
    responses: {
      401: refuses("Nobody has signed in on the page."),
      403: refuses("The request is not of this server's own page."),
      404: refuses("The page is off."),
    },
  });
}

/** Whether the one who asks may use the page. */
export async function isSignedIn(c: Context, access: PlaygroundAccess): Promise<boolean> {
  if (access.type !== "password") return access.type === "local";
  const until = await getSignedCookie(c, access.password, cookieName);
  return Number(until || 0) > wallTime();
}

/** Remembers whoever knows the password; returns whether they do. */
export async function signIn(c: Context, access: PlaygroundAccess, password: string): Promise<boolean> {
  if (access.type !== "password" || !isSame(password, access.password)) return false;
  const until = String(wallTime() + signedInSeconds * 1000);
  await setSignedCookie(c, cookieName, until, access.password, {
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    secure: c.req.url.startsWith("https:") || c.req.header("x-forwarded-proto") === "https",
    maxAge: signedInSeconds,
  });
  return true;
}

/** Whether the Origin is this server's own address: browsers send it with each WebSocket and POST, and no page can change it. */
export function isOwnOrigin(c: Context): boolean {
  const origin = c.req.header("origin") ?? "";
  return URL.canParse(origin) && new URL(origin).host === new URL(c.req.url).host;
}

/**
 * Whether no other site's Origin is on a plain GET: browsers send none with a page's own
 * (https://fetch.spec.whatwg.org/#origin-header), and let no other site read what is answered without one.
 */
export function isNoOtherOrigin(c: Context): boolean {
  return c.req.header("origin") === undefined || isOwnOrigin(c);
}

/** Compares in a time that says nothing about where the two differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
