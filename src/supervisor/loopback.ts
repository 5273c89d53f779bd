/** Requests to another process of this machine, whatever proxy the environment names for those to others. */

export interface Loopback extends Disposable {
  /** As the platform's, at that path; redirects and encodings are passed on as they are. */
  fetch(path: string, init: Omit<RequestInit, "redirect">): Promise<Response>;
}

/** The process that listens on `port`. */
export function loopback(port: number): Loopback {
  const hostname = "127.0.0.1";
  const client = Deno.createHttpClient({ proxy: { transport: "tcp", hostname, port } });
  return {
    fetch: (path, init) =>
      fetch(new URL(path, `http://${hostname}:${port}`), { ...init, redirect: "manual", client }),
    [Symbol.dispose]: () => client.close(),
  };
}
