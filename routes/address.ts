/** Where a request comes from: what is limited per address is limited by this. */
import type { Context, MiddlewareHandler } from "hono";
import { isIP } from "node:net";
import type { AppEnv } from "./app.ts";

/**
 * Finds the address that limits count by. Without `header` it is the connection's own. Behind a proxy that is the
 * proxy's, the same for everybody: `header` names the one in which the proxy writes who has connected to it. Only what
 * the proxy itself wrote may be believed: of a list, to which every proxy appends, that is the last.
 */
export function knowsAddress(header?: string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const told = header === undefined ? undefined : c.req.header(header)?.split(",").at(-1)?.trim();
    const peer = c.env?.remoteAddr?.hostname; // no env when called as app.request(path)
    c.set("address", told && isIP(told) ? networkOf(told) : networkOf(peer ?? "unknown"));
    await next();
  };
}

/** The address of who asks, or their network: see `networkOf`. */
export const addressOf = (c: Context<AppEnv>): string => c.var.address ?? "unknown";

/**
 * `address` as limits count it. One caller has a whole /64 of IPv6 addresses (https://www.rfc-editor.org/rfc/rfc6177),
 * so it is the network that counts; an IPv4 address written in IPv6 is itself.
 */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [bare = address] = address.split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped) return mapped;
  const { hostname } = new URL(`http://[${bare}]`); // in its shortest form, hexadecimal
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const groups = head ? head.split(":") : [];
  if (tail !== undefined) {
    const last = tail ? tail.split(":") : [];
    groups.push(...Array(8 - groups.length - last.length).fill("0"), ...last);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}
