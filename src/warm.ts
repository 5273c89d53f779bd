/** Connections to HTTP servers that are there before a request needs one. */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** Deno's `fetch` gives a connection up that was idle for 90 s. */
const everyMs = 60_000;
/** A server that has not answered by then is asked again the next time, in milliseconds. */
const patienceMs = 5_000;

/** Keeps a connection to the server of `url` open until `signal` aborts. */
export type KeepWarm = (url: string, signal: AbortSignal) => void;

interface Server {
  readonly origin: string;
  /** Those who want it open. */
  readonly users: Set<AbortSignal>;
  /** When it was last known to be open; clock milliseconds. */
  answeredMs: number;
  next?: Disposable;
  cut?: AbortController;
}

/**
 * Keeps a connection a server, for all calls of the process together: `fetch` has one pool for all of them, and over HTTP/2
 * one connection carries every request. The server is asked for the HEAD of its root, without a key; any answer will do.
 * Nobody waits for it, and a failure is for the next request to tell.
 */
export function createWarmth({ clock, log }: { readonly clock: Clock; readonly log: Log }): KeepWarm {
  const servers = new Map<string, Server>();

  const askAfter = (ms: number, server: Server) => {
    server.next = clock.after(ms, () => void ask(server));
  };
  const ask = async (server: Server) => {
    const { origin, users } = server;
    const cut = server.cut = new AbortController();
    askAfter(everyMs, server);
    using _ = clock.after(patienceMs, () => cut.abort());
    try {
      const { body } = await fetch(origin, { method: "HEAD", redirect: "manual", signal: cut.signal });
      await body?.cancel();
      server.answeredMs = clock.now();
      log.debug({ origin }, "connected ahead");
    } catch (error) {
      if (users.size > 0) log.debug({ origin, error }, "not connected ahead; the next request tries again");
    }
  };

  return (url, signal) => {
    const { origin } = new URL(url);
    const server = servers.get(origin) ?? { origin, users: new Set(), answeredMs: -Infinity };
    servers.set(origin, server);
    if (signal.aborted || server.users.has(signal)) return;
    server.users.add(signal);
    signal.addEventListener("abort", () => {
      server.users.delete(signal);
      if (server.users.size > 0) return;
      server.next?.[Symbol.dispose]();
      server.cut?.abort();
    }, { once: true });
    if (server.users.size === 1) askAfter(server.answeredMs + everyMs - clock.now(), server);
  };
}
