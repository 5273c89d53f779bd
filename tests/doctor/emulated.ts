/** Servers on 127.0.0.1 that answer the doctor. */
export interface Asked {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** Answers every request with what `answer` makes of it. */
export function answering(answer: (asked: Asked, request: Request) => Response | Promise<Response>) {
  const asked: Asked[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.headers.has("upgrade") ? "" : await request.text();
    const one = { path: pathname + search, headers: request.headers, body };
    asked.push(one);
    return await answer(one, request);
  });
  const { port } = server.addr;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
