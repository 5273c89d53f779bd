/** Ports that are listened on, and what people call them. */
import { ConfigError, messageOf } from "./errors.ts";

/** Listens on `port` of `host`; throws a ConfigError that names `variable` when that is not possible. */
export function listen(
  { variable, port, host: hostname }: {
    readonly variable: string;
    readonly port: number;
    readonly host: string;
  },
  handler: Deno.ServeHandler<Deno.NetAddr>,
  onListen: (address: Deno.NetAddr) => void = () => {},
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname, port, onListen }, handler);
  } catch (error) {
    throw new ConfigError(`It cannot listen on HOST ${hostname}, ${variable} ${port}: ${messageOf(error)}`);
  }
}

/** Where a browser on this machine finds what listens there. */
export function urlOf({ hostname, port }: Deno.NetAddr): string {
  const host = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname.replace(/.*:.*/, "[$&]");
  return `http://${host}:${port}`;
}

/** For the one at the terminal; what programs read is in the log. `about`: what is there. */
export function greet(at: Deno.NetAddr, about: string, warnings: readonly string[]): void {
  console.error(`Repartee is at ${urlOf(at)} with ${about}`);
  for (const warning of warnings) console.error(`Warning: ${warning}`);
}
