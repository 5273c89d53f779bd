/**
 * Fly.io's proxy, as far as agents come through it: it starts a machine that a request needs, and takes requests to
 * another one when it is told to. https://fly.io/docs/networking/dynamic-request-routing/
 */
import type { ServerProcess } from "../e2e/server.ts";

/** A machine that there may be. */
export interface FlyMachine {
  readonly region: string;
  start(): Promise<ServerProcess>;
}

export interface FlyProxy extends AsyncDisposable {
  readonly url: string;
  /** All servers that were started, in order; of a machine that has ended and was started again, each. */
  readonly servers: readonly ServerProcess[];
  /** How many machines run. */
  readonly running: number;
}

export function startFlyProxy(machines: readonly FlyMachine[]): FlyProxy {
  const servers: ServerProcess[] = [];
  /** By the machine's number; from when it is to start until it has ended. */
  const running = new Map<number, Promise<ServerProcess>>();
  const wake = (machine: number): Promise<ServerProcess> => {
    const started = running.get(machine) ?? machines[machine]?.start().then((server) => {
      servers.push(server);
      void server.exit.then(() => running.delete(machine));
      return server;
    });
    if (!started) throw new Error(`there is no machine ${machine}`);
    running.set(machine, started);
    return started;
  };
  const ask = async (machine: number, { method, url, headers }: Request, body: ArrayBuffer, from = "") => {
    const address = await (await wake(machine)).url;
    const { pathname, search } = new URL(url);
    const sent = new Headers(headers);
    if (from !== "") sent.set("fly-replay-src", from);
    return await fetch(`${address}${pathname}${search}`, { method, headers: sent, body });
  };
  /** The machine to which an answer sends its request; undefined when it is the answer. */
  const another = (replay: string, from: number): number | undefined => {
    const [, region] = /^region=(\w+)/.exec(replay) ?? [];
    const wanted = ({ region: its }: FlyMachine, n: number) =>
      region === undefined ? replay.startsWith("elsewhere=true") && n !== from : its === region;
    const found = machines.findIndex(wanted);
    return found < 0 ? undefined : found;
  };
  /** A machine that was ending: LiveKit asks again. */
  const onError = () => new Response(null, { status: 502 });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, onError }, async (request) => {
    const [first = 0] = running.keys();
    const body = await request.arrayBuffer();
    const answer = await ask(first, request, body);
    const next = another(answer.headers.get("fly-replay") ?? "", first);
    if (next === undefined) return answer;
    await answer.body?.cancel();
    const from = `instance=${first};region=${machines[first]?.region};t=1;state=`;
    return await ask(next, request, body, from);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    servers,
    get running() {
      return running.size;
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await Promise.all(servers.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
