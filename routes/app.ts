/** The HTTP server's routes, put together. */
import { Hono } from "hono";
import { methodNotAllowed as methodNotAllowedBy } from "hono/method-not-allowed";
import type { Clock } from "../src/clock.ts";
import type { LiveKitConfig } from "../src/config.ts";
import type { Dispatcher } from "../src/dispatch/dispatcher.ts";
import type { Log } from "../src/log.ts";
import type { Grants } from "./auth.ts";
import { dispatchRoutes } from "./dispatch.ts";
import { healthRoutes } from "./health.ts";
import { methodNotAllowed, notFound, onError } from "./problem.ts";

export interface AppDependencies {
  readonly dispatcher: Dispatcher;
  /** Whose tokens are accepted; without it, none is. */
  readonly livekit?: LiveKitConfig | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AppEnv {
  /** What `Deno.serve` says of a connection. */
  Bindings: { readonly remoteAddr?: { readonly hostname: string } };
  Variables: { grants: Grants };
}

/** All routes; `app.fetch(request, info)` answers a request, `info` being what `Deno.serve` hands its handler. */
export function createApp(dependencies: AppDependencies): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(methodNotAllowedBy({ app, onMethodNotAllowed: methodNotAllowed }));
  app.route("/", healthRoutes(dependencies));
  app.route("/", dispatchRoutes(dependencies));
  app.notFound(notFound);
  app.onError(onError(dependencies.log));
  return app;
}
