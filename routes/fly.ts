/** On Fly.io requests can go on to another machine: https://fly.io/docs/networking/dynamic-request-routing/ */
import type { Context, MiddlewareHandler } from "hono";
import type { Dispatcher } from "../src/dispatch/dispatcher.ts";
import type { AppEnv } from "./app.ts";

/** Where this machine is. */
export interface FlyMachine {
  readonly region: string;
  readonly machine?: string;
}

const refusals: ReadonlySet<number> = new Set([429, 503]);

const replayed = "fly-replay-src";

/** Where Fly's proxy is to take a request that is for another region; undefined where it is for this machine. */
export function elsewhereIn(
  { req }: Context,
  { here, wanted }: { readonly here: FlyMachine | undefined; readonly wanted: string | undefined },
): Record<string, string> | undefined {
  if (!here || wanted === undefined || wanted === here.region || req.header(replayed) !== undefined) {
    return undefined;
  }
  return { "fly-replay": `region=${wanted};fallback=prefer_self` };
}

/**
 * Has Fly's proxy take a dispatch to another machine that this one has no place for. Once: where it comes to, it is
 * answered, be it with a refusal.
 */
export function goesElsewhere(dispatcher: Pick<Dispatcher, "refusal">): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const isRefused = refusals.has(c.res.status) && dispatcher.refusal !== undefined;
    if (!isRefused || c.req.header(replayed) !== undefined) return;
    c.res.headers.set("fly-replay", "elsewhere=true;fallback=prefer_self");
  };
}
