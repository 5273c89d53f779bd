/** The HTTP server's routes, put together. */
import { Hono } from "hono";
import { methodNotAllowed as methodNotAllowedBy } from "hono/method-not-allowed";
import type { Clock } from "../src/clock.ts";
import type { LiveKitConfig } from "../src/config.ts";
import type { Dispatcher } from "../src/dispatch/dispatcher.ts";
import type { SessionsElsewhere } from "../src/dispatch/elsewhere.ts";
import type { Relay } from "../src/dispatch/relay.ts";
import type { Webhooks } from "../src/dispatch/webhooks.ts";
import type { Log } from "../src/log.ts";
import type { SessionArchive, SessionRecord } from "../src/telemetry/archive.ts";
import { knowsAddress } from "./address.ts";
import type { Grants } from "./auth.ts";
import { allowOrigins } from "./cors.ts";
import { dispatchRoutes } from "./dispatch.ts";
import { docsRoutes } from "./docs.ts";
import { type FlyMachine, goesElsewhere } from "./fly.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes, type MetricsText } from "./metrics.ts";
import { openApiRoutes } from "./openapi.ts";
import { type PlaygroundOptions, playgroundRoutes } from "./playground.ts";
import { methodNotAllowed, notFound, onError } from "./problem.ts";
import { type AnsweredRequest, identifies } from "./request_id.ts";
import { roomRoutes } from "./room.ts";
import { sessionRoutes } from "./sessions.ts";
import { tokenRoutes } from "./token.ts";
import { twirpRoutes } from "./twirp.ts";
import { webhookRoutes } from "./webhook.ts";

export interface AppDependencies {
  readonly dispatcher: Dispatcher;
  /** The sessions over HTTP; without it they are not. */
  readonly archive?: SessionArchive | undefined;
  /** Asks other processes for sessions that this one does not know; without it there are none. */
  readonly relay?: Pick<Relay, "ask"> | undefined;
  /** The sessions of other processes; without it there are none. */
  readonly elsewhere?: SessionsElsewhere | undefined;
  /** Whose tokens are accepted; without it, none is. */
  readonly livekit?: LiveKitConfig | undefined;
  /** Who follows LiveKit's webhooks; without it they are refused. */
  readonly webhooks?: Pick<Webhooks, "accept"> | undefined;
  /** The page; without it there is none. */
  readonly playground?: PlaygroundOptions | undefined;
  /** The header in which the proxy in front says who has connected to it; without one, whoever connects here. */
  readonly clientAddressHeader?: string | undefined;
  /** Origins whose pages may call the API; none by default. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Told of every answer. */
  readonly onAnswer?: ((request: AnsweredRequest) => void) | undefined;
  /** The machine on Fly.io; without it requests stay here. */
  readonly fly?: FlyMachine | undefined;
  /** What `/metrics` shows; without it, it is not here. */
  readonly metrics?: MetricsText | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AppEnv {
  /** What `Deno.serve` says of a connection. */
  Bindings: { readonly remoteAddr?: { readonly hostname: string } };
  Variables: {
    grants: Grants;
    /** The session that the path names. */
    record: SessionRecord;
    /** Whom limits per address count: an address, or a network. */
    address: string;
    /** The answer's `x-request-id`. */
    requestId: string;
  };
}

/** All routes; `app.fetch(request, info)` answers a request, `info` being what `Deno.serve` hands its handler. */
export function createApp(dependencies: AppDependencies): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(...identifies(dependencies));
  app.use(methodNotAllowedBy({ app, onMethodNotAllowed: methodNotAllowed }));
  app.use(knowsAddress(dependencies.clientAddressHeader));
  allowOrigins(app, dependencies.corsOrigins ?? []);
  app.route("/", openApiRoutes(app));
  app.route("/", docsRoutes(dependencies));
  app.route("/", healthRoutes(dependencies));
  if (dependencies.metrics) app.route("/", metricsRoutes(dependencies.metrics, dependencies));
  if (dependencies.fly) {
    const elsewhere = goesElsewhere(dependencies.dispatcher);
    app.use("/dispatch", elsewhere).use("/twirp/*", elsewhere);
  }
  app.route("/", dispatchRoutes(dependencies));
  app.route("/", tokenRoutes(dependencies));
  app.route("/", webhookRoutes(dependencies));
  const { archive, playground } = dependencies;
  if (archive) {
    app.route("/", sessionRoutes(archive, dependencies));
    app.route("/", twirpRoutes(archive, dependencies));
  }
  if (playground) {
    app.route("/", playgroundRoutes(playground, dependencies));
    app.route("/", roomRoutes(playground, dependencies));
  }
  app.notFound(notFound);
  app.onError(onError(dependencies.log));
  return app;
}
