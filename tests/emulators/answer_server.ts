/** A server of answers as server-sent events, on 127.0.0.1, with faults on demand: what the emulated language models share. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { CallShape, ScriptedCall } from "./openai_calls.ts";

/** What a request gets in place of an answer, or in the middle of one. */
export type ChatFault =
  /** An HTTP status and the provider's kind of body; `message` as it stands. */
  | {
    readonly type: "status";
    readonly status: number;
    readonly message?: string;
    readonly code?: string;
    /** Seconds, in the header Retry-After. */
    readonly retryAfter?: number;
  }
  /** The connection is hung up at once. */
  | { readonly type: "refuse" }
  /** A token every so many milliseconds. */
  | { readonly type: "slow"; readonly tokenMs: number }
  /** Nothing: not even headers. */
  | { readonly type: "hang" }
  /** Headers, and then nothing. */
  | { readonly type: "headers-only" }
  /** `data` as it stands, after so many tokens. */
  | { readonly type: "malformed"; readonly data: string; readonly afterTokens: number }
  /** Reads nothing of the request for so many milliseconds of the clock, and then goes on. */
  | { readonly type: "slow-reader"; readonly ms: number }
  /** The end, as if it were one, or by a lost connection, or a pause for ever; after so many tokens. */
  | { readonly type: "end" | "drop" | "stall"; readonly afterTokens: number };

/** What the model says, and the tools it calls behind it. */
export interface ChatAnswer {
  readonly text?: string;
  readonly calls: readonly ScriptedCall[];
  /** How OpenAI's calls come over the wire (default "deltas", as OpenAI sends them). */
  readonly shape?: CallShape;
}

/** One request as the server saw it. */
export interface ServedRequest<Body> {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
  /** Aborts when the client hangs up before the answer is complete. */
  readonly signal: AbortSignal;
}

export interface AnswerServerOptions<Body> {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** The answer to the last thing the user said (default: "Hello! How can I help you today?"). */
  readonly answer?: (user: string, n: number, body: Body) => string | ChatAnswer;
  /** Milliseconds to the first token (default 120), and between tokens, which are words (default 10). */
  readonly ttftMs?: number;
  readonly tokenMs?: number;
  /** Why the answer ends, in the provider's words (default: that it is whole, or that tools are called). */
  readonly finishReason?: string;
  /** What goes wrong with the `n`th request, counted from 0. */
  readonly fault?: (n: number) => ChatFault | undefined;
}

export interface AnswerServer<Body> extends AsyncDisposable {
  /** The base URL to give a client. */
  readonly url: string;
  /** Every request that came, in order. */
  readonly requests: readonly ServedRequest<Body>[];
  /** The first request, as soon as it has come. */
  readonly first: Promise<ServedRequest<Body>>;
  /** How many connections were made by now. */
  readonly connections: number;
  /** How many requests are being answered. */
  readonly open: number;
}

/** An HTTP error. */
export interface ErrorAnswer {
  readonly status: number;
  readonly message?: string | undefined;
  readonly code?: string | null | undefined;
  readonly param?: string | null | undefined;
}

/** The server-sent events of an answer, each whole; they are paced between `tokens` and `calls`. */
export interface Events {
  readonly begin: readonly string[];
  readonly tokens: readonly string[];
  readonly calls: readonly string[];
  readonly end: readonly string[];
}

/** A provider's API. */
export interface Protocol<Body> {
  /** What its base URL ends in, such as "/v1". */
  readonly base: string;
  /** Whether there is such a path below it. */
  serves(path: string): boolean;
  /** The key that a request brings. */
  keyOf(headers: IncomingHttpHeaders): string | undefined;
  /** What it answers to another key. */
  refusedKey(key: string | undefined): ErrorAnswer;
  /** What is wrong with a request, if anything is. */
  refusalOf(body: Body, request: Pick<ServedRequest<Body>, "path" | "headers">): ErrorAnswer | undefined;
  /** The body of an error. */
  error(error: ErrorAnswer): unknown;
  /** The words of the last thing that the user said. */
  lastWords(body: Body): string;
  events(answer: ChatAnswer & { readonly tokens: readonly string[] }, body: Body, n: number): Events;
}

/** Starts one; disposing it ends its connections. */
export async function startAnswerServer<Body>(
  protocol: Protocol<Body>,
  options: AnswerServerOptions<Body>,
): Promise<AnswerServer<Body>> {
  const { apiKey = "test-key", port = 0, fault, clock = systemClock } = options;
  const requests: ServedRequest<Body>[] = [];
  const first = Promise.withResolvers<ServedRequest<Body>>();
  const open = new Set<ServerResponse>();
  let came = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const refuse = (error: ErrorAnswer) => {
      response.writeHead(error.status, { "content-type": "application/json" });
      response.end(JSON.stringify(protocol.error(error)));
    };
    const { url = "", headers } = request;
    const path = url.slice(protocol.base.length);
    if (!url.startsWith(protocol.base) || !protocol.serves(path)) {
      return refuse({ status: 404, message: "no such path" });
    }
    const gone = new AbortController();
    open.add(response);
    response.on("close", () => {
      open.delete(response);
      if (!response.writableFinished) gone.abort();
    });
    const n = came++;
    const wrong = fault?.(n);
    if (wrong?.type === "slow-reader") await sleep(clock, wrong.ms, gone.signal);
    const body = await json(request) as Body;
    const served = { path, headers, body, signal: gone.signal };
    requests.push(served);
    first.resolve(served);
    if (wrong?.type === "hang") return;
    if (wrong?.type === "refuse") return void response.destroy();
    if (wrong?.type === "status") {
      if (wrong.retryAfter !== undefined) response.setHeader("retry-after", wrong.retryAfter);
      return refuse(wrong);
    }
    const key = protocol.keyOf(headers);
    if (apiKey !== "*" && key !== apiKey) return refuse(protocol.refusedKey(key));
    const refusal = protocol.refusalOf(body, { path, headers });
    if (refusal) return refuse(refusal);
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    for await (const event of paced(protocol, body, n, wrong, gone.signal, options)) {
      await new Promise((resolve) => response.write(event, resolve));
    }
    if (gone.signal.aborted) return;
    if (wrong?.type === "drop") response.destroy();
    else if (wrong?.type !== "stall" && wrong?.type !== "headers-only") response.end();
  };
  const server = createServer((request, response) => {
    // Who hangs up before the request is complete gets no answer.
    answer(request, response).catch((error) =>
      error.code === "ECONNRESET" ? undefined : Promise.reject(error)
    );
  });
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${protocol.base}`,
    requests,
    first: first.promise,
    get connections() {
      return connections;
    },
    get open() {
      return open.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether the client is still there afterwards. */
const sleep = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(ms, { signal }).then(() => true, () => false);

async function* paced<Body>(
  protocol: Protocol<Body>,
  body: Body,
  n: number,
  wrong: ChatFault | undefined,
  signal: AbortSignal,
  { answer = () => "Hello! How can I help you today?", ttftMs = 120, tokenMs = 10, clock = systemClock }:
    AnswerServerOptions<Body>,
): AsyncGenerator<string> {
  const given = answer(protocol.lastWords(body), n, body);
  const scripted: ChatAnswer = typeof given === "string" ? { text: given, calls: [] } : given;
  const words = scripted.text?.match(/\S+\s*/g) ?? [];
  const { begin, tokens, calls, end } = protocol.events({ ...scripted, tokens: words }, body, n);
  const after = wrong && "afterTokens" in wrong ? wrong.afterTokens : Infinity;
  const paceMs = wrong?.type === "slow" ? wrong.tokenMs : tokenMs;

  if (wrong?.type === "headers-only") return;
  if (!await sleep(clock, ttftMs, signal)) return;
  yield* begin;
  for (const [i, token] of [...tokens, ""].entries()) {
    if (i === after) {
      if (wrong?.type === "malformed") yield `data: ${wrong.data}\n\n`;
      return;
    }
    if (i > 0 && !await sleep(clock, paceMs, signal)) return;
    if (token) yield token;
  }
  for (const call of calls) {
    if (!await sleep(clock, tokenMs, signal)) return;
    yield call;
  }
  yield* end;
}
