/** Who is at the server's own port: nobody, a running Repartee, or another program. */
import type { Config } from "../config.ts";
import { messageOf } from "../errors.ts";
import { ask } from "./ask.ts";
import { type Check, failed, ok } from "./check.ts";

export type ServerFound =
  | { readonly type: "free" | "running" }
  | { readonly type: "taken"; readonly why: string };

/** Where the server listens, and where it and its metrics are asked from this machine. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly metricsUrl: string;
}

/** `url`: where a server of that configuration is asked from this machine. */
export function serverPlace(
  { http: { host, port, metricsPort } }: Pick<Config, "http">,
  url: string,
): ServerPlace {
  const metrics = new URL("/metrics", url);
  if (metricsPort !== undefined) metrics.port = String(metricsPort);
  return { host, port, url, metricsUrl: metrics.href };
}

/** Looks by listening for a moment. */
export async function findServer(
  { host, port, url }: ServerPlace,
  signal: AbortSignal,
): Promise<ServerFound> {
  try {
    Deno.listen({ hostname: host, port }).close();
    return { type: "free" };
  } catch (error) {
    const taken = { type: "taken", why: messageOf(error) } as const;
    if (!(error instanceof Deno.errors.AddrInUse)) return taken;
    const answer = await ask(`${url}/healthz`, { signal }).catch(() => undefined); // then it is another program
    return answer?.status === 200 && answer.text === '{"status":"ok"}' ? { type: "running" } : taken;
  }
}

/** Whether the server may listen where it is to. */
export function portChecks(
  config: Pick<Config, "http">,
  { place, found }: {
    readonly place: ServerPlace;
    readonly found: (signal: AbortSignal) => Promise<ServerFound>;
  },
): Check[] {
  const { host, port, metricsPort } = config.http;
  const taken = (variable: string, number: number, why: string) =>
    failed(
      `the server cannot listen on ${host}:${number}: ${why}; end the program that does, or change HOST or ${variable}`,
    );
  const run: Check["run"] = async ({ signal }) => {
    const server = await found(signal);
    if (server.type === "running") return ok(`a Repartee server is running on ${host}:${port}`);
    if (server.type === "taken") return taken("PORT", port, server.why);
    if (metricsPort === undefined) return ok(`${host}:${port} is free`);
    const metrics = await findServer({ ...place, port: metricsPort }, signal);
    if (metrics.type === "taken") return taken("METRICS_PORT", metricsPort, metrics.why);
    return ok(`${host}:${port} and ${metricsPort} are free`);
  };
  return [{ name: "port", run }];
}
