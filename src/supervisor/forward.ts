/** Requests that are passed on to workers, and their answers, as they are. */
import { STATUS_CODES } from "node:http";
import type { Loopback } from "./loopback.ts";
import { passedOn } from "./wire.ts";

/** A request as it is passed on, to one worker after another if need be. */
export interface Asked {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** No route takes more, in bytes. */
const maxBodyBytes = 1024 * 1024;
/** Headers that are for one connection alone (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1). */
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const prefix = "x-repartee-";

/** Reads `request` to pass it on with the secret; undefined when its body is too large. */
export async function readAsked(
  request: Request,
  { address, token }: { readonly address: string; readonly token: string },
): Promise<Asked | undefined> {
  const { host, pathname, search } = new URL(request.url);
  const body = request.body === null ? undefined : await readBody(request.body);
  if (body && body.byteLength > maxBodyBytes) return undefined;
  const headers = headersFrom(request, { address, token });
  headers.set(passedOn.host, host);
  headers.set("accept-encoding", "identity"); // it is encoded for the client here
  return { method: request.method, path: `${pathname}${search}`, headers, body };
}

/** The headers of `request` as a worker is to have them. */
export function headersFrom(
  { headers: given }: Pick<Request, "headers">,
  { address, token }: { readonly address: string; readonly token: string },
): Headers {
  const headers = new Headers(given);
  for (const name of [...hopByHop, ...[...given.keys()].filter((name) => name.startsWith(prefix))]) {
    headers.delete(name);
  }
  headers.set(passedOn.token, token);
  headers.set(passedOn.address, address);
  return headers;
}

/** As much of `stream` as is allowed, and a little more when it is longer. */
async function readBody(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > maxBodyBytes) break;
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Asks the worker behind `worker`; rejects when it cannot be reached. */
export async function forward(
  { method, path, headers, body }: Asked,
  worker: Loopback,
): Promise<Response> {
  const { status, headers: answered, body: stream } = await worker.fetch(path, {
    method,
    headers,
    ...(body && { body }),
  });
  const passed = new Headers(answered);
  for (const name of hopByHop) passed.delete(name);
  return new Response(stream, { status, headers: passed });
}

/** An answer of the supervisor's own, as the server's are (RFC 9457). */
export function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  const body = { type: "about:blank", title: STATUS_CODES[status], status, detail };
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}
