/** Where workers report, and ask for what they share: on the loopback interface, for who has the token. */
import { messageOf } from "../errors.ts";
import { answerFrom } from "../dispatch/store/http.ts";
import type { Store } from "../dispatch/store/store.ts";
import type { Log } from "../log.ts";
import { passedOn, type WorkerReport, workerReport } from "./wire.ts";

export interface EndpointOptions {
  readonly token: string;
  /** What the worker of that name asks. */
  readonly store: (name: string) => Store;
  /** Takes the report of the worker of that name; false when there is none. */
  readonly take: (name: string, report: WorkerReport) => boolean;
  readonly log: Log;
}

/** Serves them from now on, until it is disposed of. */
export function serveWorkers(
  { token, store, take, log }: EndpointOptions,
): AsyncDisposable & { readonly port: number } {
  const answer = async (request: Request): Promise<Response> => {
    if (request.headers.get(passedOn.token) !== token) return new Response(null, { status: 403 });
    const [, what, name = ""] = new URL(request.url).pathname.split("/");
    if (what === "store") return await answerFrom(store(name), request);
    const isKnown = what === "report" && take(name, workerReport.parse(await request.json()));
    return new Response(null, { status: isKnown ? 204 : 404 });
  };
  const onError = (error: unknown) => {
    log.error({ error }, "a worker was not answered");
    return new Response(messageOf(error), { status: 500 });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, onError }, answer);
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}
