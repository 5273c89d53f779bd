/** `GET /`: the page to talk with the agent; static files, its settings, signing in, and sending it an agent in LiveKit. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { etag } from "hono/etag";
import * as z from "zod";
import type { PlaygroundAccess } from "../src/config.ts";
import type { PageAgent } from "../src/dispatch/page_agents.ts";
import { pageRoomPrefix, type Pages } from "../src/dispatch/pages.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { dispatchAnswer, dispatchAnswers } from "./dispatch.ts";
import { expectedObject, json, name } from "./json_body.ts";
import { answers, operation, refuses } from "./operation.ts";
import { fromPage, isOwnOrigin, isSignedIn, pageIsOn, signIn } from "./page_access.ts";
import { playgroundEventRoutes } from "./playground_events.ts";
import { problem } from "./problem.ts";
import { createRateLimit, limited } from "./rate_limit.ts";
import { secured, staticFile } from "./static_file.ts";

export interface PlaygroundOptions {
  readonly access: PlaygroundAccess;
  /** Whom one can talk with, and the one who is talked with where the page names none. */
  readonly agents: readonly PageAgent[];
  readonly defaultAgent: string;
  readonly pages: Pages;
}

const folder = new URL("playground/", import.meta.url);
const livekitClient = new URL("../node_modules/livekit-client/dist/livekit-client.umd.js", import.meta.url);

const dispatchBody = z.strictObject({
  room: z.string().startsWith(pageRoomPrefix, `expected a room of the page's own, ${pageRoomPrefix}…`).max(
    256,
  ),
  identity: z.string().min(1).max(256),
  agent: name("the agent's name").optional().meta({ description: "Default: the default agent." }),
}, expectedObject(`{"room": "${pageRoomPrefix}1", "identity": "caller-1"}`)).meta({
  example: { room: `${pageRoomPrefix}1`, identity: "caller-1" },
});

const configAnswer = z.object({
  mode: z.enum(["livekit", "browser"]).meta({
    description: "How the page talks: in a room, or with `/room`.",
  }),
  agent: z.string().meta({ description: "Who is talked with where nobody chooses." }),
  agents: z.array(z.object({
    name: z.string(),
    description: z.string(),
    unusable: z.string().optional().meta({ description: "Why nobody can talk with it, in words." }),
    stages: z.array(z.looseObject({ stage: z.enum(["stt", "llm", "tts"]), model: z.string() })),
    recognizer: z.enum(["server", "page"]),
    pushToTalk: z.boolean().meta({ description: "Whether the user holds a key while they talk." }),
    sees: z.boolean().meta({ description: "Whether it can see the user's camera." }),
  })),
});

export function playgroundRoutes(
  options: PlaygroundOptions,
  { livekit, dispatcher, clock }: AppDependencies,
): Hono<AppEnv> {
  const { access, agents, defaultAgent, pages } = options;
  const isOn = pageIsOn(access);
  const signInLimit = createRateLimit({ burst: 5, perSecond: 0.1, clock });
  const dispatchLimit = createRateLimit({ burst: 5, perSecond: 0.2, clock });
  const file = (name: string) => staticFile(new URL(name, folder));
  const headers = secured(({ host }) => ({
    "img-src": "'self'",
    "media-src": "'self' blob: mediastream:",
    "connect-src": ["'self'", `ws://${host}`, `wss://${host}`, ...addressesOf(livekit?.url)].join(" "),
    "form-action": "'self'",
  }));
  const asset = operation("undocumented");
  const app = new Hono<AppEnv>();
  app.use("/", headers, etag());
  app.use("/playground/*", headers);
  app.route("/", playgroundEventRoutes(options, { clock })); // before etag, which would wait for the end of what it answers
  app.use("/playground/*", etag());

  app.get("/", asset, isOn, async (c) => {
    return await file(await isSignedIn(c, access) ? "index.html" : "login.html") ?? c.notFound();
  });
  app.get(
    "/playground/config",
    operation({
      summary: "What the page has to know",
      tags: ["Page"],
      security: [{ page: [] }],
      responses: {
        200: answers("How it talks, and with whom.", configAnswer),
        401: refuses("Nobody has signed in on the page."),
      },
    }),
    isOn,
    async (c) => {
      if (!await isSignedIn(c, access)) return problem(c, 401, "Sign in on the page first.");
      const mode = livekit ? "livekit" : "browser";
      return c.json({ mode, agent: defaultAgent, agents });
    },
  );
  app.get(
    "/playground/livekit-client.js",
    asset,
    isOn,
    async (c) => await staticFile(livekitClient) ?? c.notFound(),
  );
  app.get("/playground/:file{[a-z_]+\\.(css|js|svg)}", asset, isOn, async (c) => {
    return await file(c.req.param("file")) ?? c.notFound();
  });
  app.post(
    "/playground/login",
    operation({
      summary: "Sign in on the page",
      tags: ["Page"],
      requestBody: {
        required: true,
        content: { "application/x-www-form-urlencoded": { schema: z.object({ password: z.string() }) } },
      },
      responses: {
        303: answers("To the page, with a cookie; or back to `/#wrong`."),
        403: refuses("The form is not of this server's own page."),
        413: refuses("The body is larger than 4096 bytes."),
      },
    }),
    isOn,
    limited(signInLimit),
    bodyLimit({ maxSize: 4096, onError: (c) => problem(c, 413, "Expected a password.") }),
    async (c) => {
      if (!isOwnOrigin(c)) return problem(c, 403, "Expected the form of this server's own page.");
      const { password } = await c.req.parseBody();
      const known = typeof password === "string" && await signIn(c, access, password);
      const { search } = new URL(c.req.url); // whom they came to talk with
      return c.redirect(known ? `/${search}` : `/${search}#wrong`, 303);
    },
  );
  app.post(
    "/playground/dispatch",
    operation({
      summary: "Send the agent to the page's room",
      tags: ["Page"],
      responses: dispatchAnswers,
    }),
    fromPage(access),
    limited(dispatchLimit),
    json(dispatchBody),
    async (c) => {
      const { room, identity: participant, agent = defaultAgent } = c.req.valid("json");
      const onStart = pages.adopt;
      return dispatchAnswer(c, await dispatcher.dispatch({ room, agent, participant, onStart }));
    },
  );
  return app;
}

/** Where the page reaches LiveKit: its WebSocket, and the same by HTTP. */
function addressesOf(url: string | undefined): string[] {
  return url === undefined ? [] : [url, url.replace(/^ws/, "http")];
}
