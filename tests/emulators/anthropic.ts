/** Anthropic's /v1/messages, streamed, on 127.0.0.1, with faults on demand: https://docs.anthropic.com/en/api/messages-streaming */
import { type AnthropicBody, refusalOf } from "./anthropic_requests.ts";
import {
  type AnswerServer,
  type AnswerServerOptions,
  type Protocol,
  startAnswerServer,
} from "./answer_server.ts";

export type AnthropicEmulatorOptions = AnswerServerOptions<AnthropicBody>;

/** Starts one; disposing it ends its connections. */
export const startAnthropicEmulator = (
  options: AnthropicEmulatorOptions = {},
): Promise<AnswerServer<AnthropicBody>> => startAnswerServer(messages(options), options);

/** The names of errors, by their status: https://docs.anthropic.com/en/api/errors */
const errorTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

const event = (type: string, more: Record<string, unknown> = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;

const messages = ({ finishReason }: AnthropicEmulatorOptions): Protocol<AnthropicBody> => ({
  base: "/v1",
  serves: (path) => path === "/messages",
  keyOf: (headers) => headers["x-api-key"]?.toString(),
  refusedKey: () => ({ status: 401, message: "invalid x-api-key" }),
  refusalOf(body, { headers }) {
    if (!headers["anthropic-version"]) {
      return { status: 400, message: "anthropic-version: header is required" };
    }
    const message = refusalOf(body);
    return message === undefined ? undefined : { status: 400, message };
  },
  error: ({ status, message = "refused on purpose" }) => ({
    type: "error",
    error: { type: errorTypes[status] ?? "api_error", message },
  }),
  lastWords({ messages }) {
    const content = messages.findLast(({ role }) => role === "user")?.content ?? [];
    if (typeof content === "string") return content;
    return content.map((block) => block.type === "text" ? block.text : "").join("");
  },
  events({ tokens, calls }, { model }, n) {
    const usage = { input_tokens: 50, output_tokens: 1 };
    const message = { id: `msg_${n}`, type: "message", role: "assistant", model, content: [], usage };
    const open = (index: number, content_block: unknown) =>
      event("content_block_start", { index, content_block });
    const delta = (index: number, delta: unknown) => event("content_block_delta", { index, delta });
    const close = (index: number) => event("content_block_stop", { index });
    const spoken = tokens.length > 0 ? 1 : 0;
    return {
      begin: [
        event("message_start", { message: { ...message, stop_reason: null, stop_sequence: null } }),
        ...(spoken ? [open(0, { type: "text", text: "" })] : []),
        event("ping"),
      ],
      tokens: tokens.map((text, i) =>
        delta(0, { type: "text_delta", text }) + (i === tokens.length - 1 ? close(0) : "")
      ),
      calls: calls.flatMap(({ id = `toolu_${n}_${crypto.randomUUID().slice(0, 8)}`, name, ...call }, i) => {
        const index = spoken + i;
        const text = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
        const pieces = ["", ...text.match(/.{1,7}/gs) ?? []];
        return [
          open(index, { type: "tool_use", id, name, input: {} }),
          ...pieces.map((partial_json) => delta(index, { type: "input_json_delta", partial_json })),
          close(index),
        ];
      }),
      end: [
        event("message_delta", {
          delta: {
            stop_reason: finishReason ?? (calls.length > 0 ? "tool_use" : "end_turn"),
            stop_sequence: null,
          },
          usage: { output_tokens: tokens.length },
        }),
        event("message_stop"),
      ],
    };
  },
});
