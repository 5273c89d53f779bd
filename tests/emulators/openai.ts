/** OpenAI's /v1/chat/completions, streamed, on 127.0.0.1, with faults on demand: https://github.com/openai/openai-openapi */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { type Clock, systemClock } from "../../src/clock.ts";
import { callDeltas, type CallShape, type ScriptedCall } from "./openai_calls.ts";
import { wordsOf } from "./openai_images.ts";
import { refusalOf, type WireMessage, type WireTool } from "./openai_requests.ts";

/** What a request gets in place of an answer, or in the middle of one. */
export type ChatFault =
  /** An HTTP status and OpenAI's kind of body; `message` as it stands. */
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
  /** The end, as if it were one, or by a lost connection, or a pause for ever; after so many tokens. */
  | { readonly type: "end" | "drop" | "stall"; readonly afterTokens: number };

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly WireMessage[];
  readonly tools?: readonly WireTool[];
  readonly tool_choice?: unknown;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly [parameter: string]: unknown;
}

/** What the model says, and the tools it calls behind it. */
export interface ChatAnswer {
  readonly text?: string;
  readonly calls: readonly ScriptedCall[];
  /** How the calls come over the wire (default "deltas", as OpenAI sends them). */
  readonly shape?: CallShape;
}

/** One request as the server saw it. */
export interface ChatRequest {
  readonly body: ChatBody;
  readonly authorization: string | undefined;
  /** Aborts when the client hangs up before the answer is complete. */
  readonly signal: AbortSignal;
}

export interface OpenAIEmulatorOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** The answer to the last thing the user said (default: "Hello! How can I help you today?"). */
  readonly answer?: (user: string, n: number, body: ChatBody) => string | ChatAnswer;
  /** Milliseconds to the first token (default 120), and between tokens, which are words (default 10). */
  readonly ttftMs?: number;
  readonly tokenMs?: number;
  /** Default: "stop", and "tool_calls" when tools are called. */
  readonly finishReason?: string;
  /** What goes wrong with the `n`th request, counted from 0. */
  readonly fault?: (n: number) => ChatFault | undefined;
}

export interface OpenAIEmulator extends AsyncDisposable {
  /** The base URL to give a client: http://127.0.0.1:port/v1. */
  readonly url: string;
  /** Every request that came, in order. */
  readonly requests: readonly ChatRequest[];
}

/** Starts one; disposing it ends its connections. */
export async function startOpenAIEmulator(options: OpenAIEmulatorOptions = {}): Promise<OpenAIEmulator> {
  const { apiKey = "test-key", port = 0, fault } = options;
  const requests: ChatRequest[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url !== "/v1/chat/completions") return refuse(response, 404, "no such path");
    const body = await json(request) as ChatBody;
    const { authorization } = request.headers;
    const gone = new AbortController();
    response.on("close", () => response.writableFinished || gone.abort());
    const n = requests.push({ body, authorization, signal: gone.signal }) - 1;
    const wrong = fault?.(n);
    if (wrong?.type === "hang") return;
    if (wrong?.type === "refuse") return void response.destroy();
    if (wrong?.type === "status") {
      if (wrong.retryAfter !== undefined) response.setHeader("retry-after", wrong.retryAfter);
      return refuse(response, wrong.status, wrong.message, wrong.code);
    }
    if (apiKey !== "*" && authorization !== `Bearer ${apiKey}`) {
      return refuse(
        response,
        401,
        `Incorrect API key provided: ${authorization?.slice(7)}`,
        "invalid_api_key",
      );
    }
    if (!body.stream) return refuse(response, 400, "this server only streams");
    const malformed = refusalOf(body);
    if (malformed) return refuse(response, 400, malformed.message, null, malformed.param);
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    for await (const event of answerEvents(body, n, wrong, gone.signal, options)) {
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
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function* answerEvents(
  body: ChatBody,
  n: number,
  wrong: ChatFault | undefined,
  signal: AbortSignal,
  { answer = () => "Hello! How can I help you today?", ttftMs = 120, tokenMs = 10, ...options }:
    OpenAIEmulatorOptions,
): AsyncGenerator<string> {
  const { clock = systemClock } = options;
  const last = body.messages.findLast(({ role }) => role === "user");
  const user = last ? wordsOf(last) : "";
  const given = answer(user, n, body);
  const { text = "", calls, shape }: ChatAnswer = typeof given === "string"
    ? { text: given, calls: [] }
    : given;
  const finishReason = options.finishReason ?? (calls.length > 0 ? "tool_calls" : "stop");
  const tokens = text.match(/\S+\s*/g) ?? [];
  const event = (choices: unknown[], more = {}) => {
    const about = { id: `chatcmpl-${n}`, object: "chat.completion.chunk", created: 0, model: body.model };
    return `data: ${JSON.stringify({ ...about, choices, ...more })}\n\n`;
  };
  const choice = (delta: Record<string, unknown>, reason: string | null = null) =>
    event([{ index: 0, delta, finish_reason: reason }]);
  const after = wrong && "afterTokens" in wrong ? wrong.afterTokens : Infinity;
  const paceMs = wrong?.type === "slow" ? wrong.tokenMs : tokenMs;

  if (wrong?.type === "headers-only") return;
  const sleep = (ms: number) => clock.sleep(ms, { signal }).then(() => true, () => false);
  if (!await sleep(ttftMs)) return;
  yield choice({ role: "assistant", content: "" });
  for (const [i, token] of [...tokens, ""].entries()) {
    if (i === after) {
      if (wrong?.type === "malformed") yield `data: ${wrong.data}\n\n`;
      return;
    }
    if (i > 0 && !await sleep(paceMs)) return;
    if (token) yield choice({ content: token });
  }
  for (const tool_calls of callDeltas(calls, shape)) {
    if (!await sleep(tokenMs)) return;
    yield choice({ tool_calls });
  }
  yield choice({}, finishReason);
  if (body.stream_options?.include_usage) {
    const usage = { prompt_tokens: 50, completion_tokens: tokens.length, total_tokens: 50 + tokens.length };
    yield event([], { usage });
  }
  yield "data: [DONE]\n\n";
}

function refuse(
  response: ServerResponse,
  status: number,
  message = "refused on purpose",
  code: string | null = null,
  param: string | null = null,
): void {
  const type = param === null ? "error" : "invalid_request_error";
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { message, type, param, code } }));
}
