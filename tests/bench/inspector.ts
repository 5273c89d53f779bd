/** A server whose garbage is collected when a benchmark says so: by V8's inspector, as a debugger would. */

/** A port of the loopback interface that is free. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Has V8 collect all garbage of the process that was started with `--inspect=127.0.0.1:port`
 * (https://chromedevtools.github.io/devtools-protocol/tot/HeapProfiler/#method-collectGarbage).
 */
export async function collectGarbage(port: number): Promise<void> {
  const [target] = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
  socket.onmessage = ({ data }) => {
    const { id, error } = JSON.parse(data);
    if (id === 1) error ? reject(new Error(`the inspector said: ${JSON.stringify(error)}`)) : resolve();
  };
  socket.onerror = () => reject(new Error(`there is no inspector at port ${port}`));
  await promise.finally(() => socket.close());
}
