/** OpenAI's /v1/chat/completions, streamed, on 127.0.0.1, with faults on demand: https://github.com/openai/openai-openapi */
import {
  type AnswerServer,
  type AnswerServerOptions,
  type ErrorAnswer,
  type Protocol,
  startAnswerServer,
} from "./answer_server.ts";
import { callDeltas } from "./openai_calls.ts";
import { wordsOf } from "./openai_images.ts";
import { refusalOf, type WireMessage, type WireTool } from "./openai_requests.ts";

export type { ChatAnswer, ChatFault } from "./answer_server.ts";

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly WireMessage[];
  readonly tools?: readonly WireTool[];
  readonly tool_choice?: unknown;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly [parameter: string]: unknown;
}

export type OpenAIEmulatorOptions = AnswerServerOptions<ChatBody>;
export type OpenAIEmulator = AnswerServer<ChatBody>;

/** Starts one; disposing it ends its connections. */
export const startOpenAIEmulator = (options: OpenAIEmulatorOptions = {}): Promise<OpenAIEmulator> =>
  startAnswerServer(chatCompletions(options), options);

/** How OpenAI takes keys and tells of errors, whatever the API. */
export const ofOpenAI = {
  base: "/v1",
  keyOf: ({ authorization }) => authorization?.replace(/^Bearer /, ""),
  refusedKey: (key) => ({
    status: 401,
    message: `Incorrect API key provided: ${key}`,
    code: "invalid_api_key",
  }),
  error({ message = "refused on purpose", code = null, param = null }: ErrorAnswer) {
    const type = param === null ? "error" : "invalid_request_error";
    return { error: { message, type, param, code } };
  },
} satisfies Partial<Protocol<never>>;

const chatCompletions = ({ finishReason }: OpenAIEmulatorOptions): Protocol<ChatBody> => ({
  ...ofOpenAI,
  serves: (path) => path === "/chat/completions",
  refusalOf(body) {
    if (!body.stream) return { status: 400, message: "this server only streams" };
    const malformed = refusalOf(body);
    return malformed && { status: 400, ...malformed };
  },
  lastWords({ messages }) {
    const last = messages.findLast(({ role }) => role === "user");
    return last ? wordsOf(last) : "";
  },
  events({ tokens, calls, shape }, { model, stream_options }, n) {
    const event = (choices: unknown[], more = {}) => {
      const about = { id: `chatcmpl-${n}`, object: "chat.completion.chunk", created: 0, model };
      return `data: ${JSON.stringify({ ...about, choices, ...more })}\n\n`;
    };
    const choice = (delta: Record<string, unknown>, reason: string | null = null) =>
      event([{ index: 0, delta, finish_reason: reason }]);
    const usage = { prompt_tokens: 50, completion_tokens: tokens.length, total_tokens: 50 + tokens.length };
    return {
      begin: [choice({ role: "assistant", content: "" })],
      tokens: tokens.map((content) => choice({ content })),
      calls: callDeltas(calls, shape).map((tool_calls) => choice({ tool_calls })),
      end: [
        choice({}, finishReason ?? (calls.length > 0 ? "tool_calls" : "stop")),
        ...(stream_options?.include_usage ? [event([], { usage })] : []),
        "data: [DONE]\n\n",
      ],
    };
  },
});
