/** `GET /`: the page to talk with the agent; static files, its settings, signing in, and sending it an agent in LiveKit. */
import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { etag } from "hono/etag";
import * as z from "zod";
import type { PlaygroundAccess } from "../src/config.ts";
import type { Pages } from "../src/dispatch/pages.ts";
import type { StageModel } from "../src/stand_ins.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { dispatchAnswer } from "./dispatch.ts";
import { expectedObject, jsonBody, readJson } from "./json_body.ts";
import { fromPage, isOwnOrigin, isSignedIn, pageIsOn, signIn } from "./page_access.ts";
import { playgroundEventRoutes } from "./playground_events.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";
import { pageRoomPrefix } from "./token.ts";

export interface PlaygroundOptions {
  readonly access: PlaygroundAccess;
  /** The agent that is talked with. */
  readonly agentName: string;
  readonly stages: readonly StageModel[];
  /** Who recognizes speech where there is no LiveKit: the server, or the browser itself. */
  readonly recognizer: "server" | "page";
  readonly pages: Pages;
}

const folder = new URL("playground/", import.meta.url);
const livekitClient = new URL("../node_modules/livekit-client/dist/livekit-client.umd.js", import.meta.url);
const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const dispatchBody = z.strictObject({
  room: z.string().startsWith(pageRoomPrefix, `expected a room of the page's own, ${pageRoomPrefix}…`).max(
    256,
  ),
  identity: z.string().min(1).max(256),
}, expectedObject(`{"room": "${pageRoomPrefix}1", "identity": "caller-1"}`));

export function playgroundRoutes(
  options: PlaygroundOptions,
  { livekit, dispatcher, clock }: AppDependencies,
): Hono<AppEnv> {
  const { access, agentName, stages, recognizer, pages } = options;
  const isOn = pageIsOn(access);
  const signInLimit = createRateLimit({ burst: 5, perSecond: 0.1, clock });
  const dispatchLimit = createRateLimit({ burst: 5, perSecond: 0.2, clock });
  const limited = (limit: typeof signInLimit): MiddlewareHandler<AppEnv> => async (c, next) => {
    const waitMs = limit(c.env?.remoteAddr?.hostname ?? "unknown");
    if (waitMs === 0) return await next();
    const headers = { "retry-after": String(Math.ceil(waitMs / 1000)) };
    return problem(c, 429, "Too many attempts; try again later.", { headers });
  };
  const app = new Hono<AppEnv>();
  app.use("/", secured(livekit?.url), etag());
  app.use("/playground/*", secured(livekit?.url));
  app.route("/", playgroundEventRoutes(options)); // before etag, which would wait for the end of what it answers
  app.use("/playground/*", etag());

  app.get("/", isOn, async (c) => {
    return await file(await isSignedIn(c, access) ? "index.html" : "login.html") ?? c.notFound();
  });
  app.get("/playground/config", isOn, async (c) => {
    if (!await isSignedIn(c, access)) return problem(c, 401, "Sign in on the page first.");
    return c.json({ mode: livekit ? "livekit" : "browser", agent: agentName, stages, recognizer });
  });
  app.get(
    "/playground/livekit-client.js",
    isOn,
    async () => respond(await Deno.readFile(livekitClient), "js"),
  );
  app.get("/playground/:file{[a-z_]+\\.(css|js|svg)}", isOn, async (c) => {
    return await file(c.req.param("file")) ?? c.notFound();
  });
  app.post(
    "/playground/login",
    isOn,
    limited(signInLimit),
    bodyLimit({ maxSize: 4096, onError: (c) => problem(c, 413, "Expected a password.") }),
    async (c) => {
      if (!isOwnOrigin(c)) return problem(c, 403, "Expected the form of this server's own page.");
      const { password } = await c.req.parseBody();
      const known = typeof password === "string" && await signIn(c, access, password);
      return c.redirect(known ? "/" : "/#wrong", 303);
    },
  );
  app.post("/playground/dispatch", fromPage(access), limited(dispatchLimit), ...jsonBody, async (c) => {
    const body = await readJson(c, dispatchBody);
    if (body instanceof Response) return body;
    const { room, identity: participant } = body;
    const onStart = pages.adopt;
    return dispatchAnswer(c, await dispatcher.dispatch({ room, agent: agentName, participant, onStart }));
  });
  return app;
}

/** A file of the page's folder; undefined when there is none of that name. */
async function file(name: string): Promise<Response | undefined> {
  try {
    return respond(await Deno.readFile(new URL(name, folder)), name.split(".").at(-1) ?? "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function respond(bytes: Uint8Array<ArrayBuffer>, extension: string): Response {
  // Always asked for again, and mostly answered with 304: a page never mixes files of two versions.
  const headers = {
    "content-type": types[extension] ?? "application/octet-stream",
    "cache-control": "no-cache",
  };
  return new Response(bytes, { headers });
}

/** The headers under which the page can load nothing but its own files and talk with nobody but this server. */
function secured(livekitUrl: string | undefined): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const { host } = new URL(c.req.url);
    const livekit = livekitUrl ? ` ${livekitUrl} ${livekitUrl.replace(/^ws/, "http")}` : "";
    const policy = [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "media-src 'self' blob: mediastream:",
      `connect-src 'self' ws://${host} wss://${host}${livekit}`,
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ];
    c.header("content-security-policy", policy.join("; "));
    c.header("permissions-policy", "microphone=(self), camera=(), geolocation=()");
    c.header("referrer-policy", "same-origin"); // with no-referrer, forms would be sent with Origin: null
    c.header("x-content-type-options", "nosniff");
    c.header("x-frame-options", "DENY");
    c.header("cross-origin-opener-policy", "same-origin");
    c.header("cross-origin-resource-policy", "same-origin");
  };
}
