/** OpenAI's /v1/responses, streamed, on 127.0.0.1, with faults on demand: https://github.com/openai/openai-openapi */
import {
  type AnswerServer,
  type AnswerServerOptions,
  type Protocol,
  startAnswerServer,
} from "./answer_server.ts";
import { ofOpenAI } from "./openai.ts";

/** An item of a request: a message, a call or its result. */
export type ResponsesItem =
  | { readonly type?: "message"; readonly role: string; readonly content: string | readonly ResponsesPart[] }
  | {
    readonly type: "function_call";
    readonly id?: string;
    readonly call_id: string;
    readonly name: string;
    readonly arguments: string;
  }
  | { readonly type: "function_call_output"; readonly call_id: string; readonly output: unknown };

export interface ResponsesPart {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: string;
}

export interface ResponsesBody {
  readonly model: string;
  readonly input: readonly ResponsesItem[];
  readonly tools?: readonly { readonly type: string; readonly name: string; readonly parameters?: unknown }[];
  readonly tool_choice?: unknown;
  readonly store?: boolean;
  readonly stream?: boolean;
  readonly [parameter: string]: unknown;
}

export type ResponsesEmulatorOptions = AnswerServerOptions<ResponsesBody>;

/** Starts one; disposing it ends its connections. */
export const startResponsesEmulator = (
  options: ResponsesEmulatorOptions = {},
): Promise<AnswerServer<ResponsesBody>> => startAnswerServer(responses(options), options);

const responses = ({ finishReason }: ResponsesEmulatorOptions): Protocol<ResponsesBody> => ({
  ...ofOpenAI,
  serves: (path) => path === "/responses",
  refusalOf(body) {
    if (!body.stream) return { status: 400, message: "this server only streams" };
    const refusal = refusalOfInput(body.input) ?? refusalOfTools(body);
    return refusal && { status: 400, ...refusal };
  },
  lastWords({ input }) {
    const last = input.findLast((item) => "role" in item && item.role === "user");
    const content = last && "content" in last ? last.content : "";
    return typeof content === "string" ? content : content.map(({ text = "" }) => text).join("");
  },
  events({ tokens, calls }, { model }, n) {
    let sequence_number = 0;
    const event = (type: string, more: Record<string, unknown>) =>
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence_number++, ...more })}\n\n`;
    const response = { id: `resp_${n}`, object: "response", model, output: [], status: "in_progress" };
    const message = {
      id: `msg_${n}`,
      type: "message",
      role: "assistant",
      status: "in_progress",
      content: [],
    };
    const at = { item_id: message.id, output_index: 0, content_index: 0 };
    const text = tokens.join("");
    const part = { type: "output_text", text, annotations: [] };
    const spoken = tokens.length > 0;
    const begin = [
      event("response.created", { response }),
      event("response.in_progress", { response }),
      ...(spoken
        ? [
          event("response.output_item.added", { output_index: 0, item: message }),
          event("response.content_part.added", { ...at, part: { ...part, text: "" } }),
        ]
        : []),
    ];
    const deltas = tokens.map((delta) => event("response.output_text.delta", { ...at, delta, logprobs: [] }));
    const called = calls.flatMap(({ id = `call_${crypto.randomUUID().slice(0, 8)}`, name, ...call }, i) => {
      const written = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
      const item = { id: `fc_${n}_${i}`, type: "function_call", call_id: id, name, arguments: "" };
      const output_index = i + (spoken ? 1 : 0);
      const pieces = written.match(/.{1,7}/gs) ?? [];
      return [
        event("response.output_item.added", { output_index, item }),
        ...pieces.map((delta) =>
          event("response.function_call_arguments.delta", { item_id: item.id, output_index, delta })
        ),
        event("response.function_call_arguments.done", {
          item_id: item.id,
          output_index,
          arguments: written,
        }),
        event("response.output_item.done", { output_index, item: { ...item, arguments: written } }),
      ];
    });
    const usage = { input_tokens: 50, output_tokens: tokens.length, total_tokens: 50 + tokens.length };
    const status = finishReason ? "incomplete" : "completed";
    const whole = {
      ...response,
      status,
      usage,
      incomplete_details: finishReason ? { reason: finishReason } : null,
    };
    const done = spoken
      ? [
        event("response.output_text.done", { ...at, text, logprobs: [] }),
        event("response.content_part.done", { ...at, part }),
        event("response.output_item.done", {
          output_index: 0,
          item: { ...message, status: "completed", content: [part] },
        }),
      ]
      : [];
    const [first, ...others] = called;
    return {
      begin,
      tokens: deltas,
      calls: first ? [done.join("") + first, ...others] : [],
      end: [...(first ? [] : done), event(`response.${status}`, { response: whole })],
    };
  },
});

interface Refusal {
  readonly message: string;
  readonly param: string;
}

const namePattern = /^[a-zA-Z0-9_-]{1,64}$/;

/** What is wrong with the items: each call has its output, each output its call before it. */
export function refusalOfInput(input: readonly ResponsesItem[]): Refusal | undefined {
  const wrong = (message: string, param = "input"): Refusal => ({ message, param });
  if (input.length === 0) return wrong("Missing required parameter: 'input'.");
  const called = new Set<string>();
  const answered = new Set<string>();
  for (const [at, item] of input.entries()) {
    if ("role" in item) {
      const problem = refusalOfContent(item);
      if (problem) return wrong(problem, `input[${at}].content`);
    } else if (item.type === "function_call") {
      const where = `input[${at}]`;
      if (!namePattern.test(item.name)) return wrong(`Invalid '${where}.name'`, `${where}.name`);
      if (typeof item.arguments !== "string") {
        return wrong(`Invalid type for '${where}.arguments'`, `${where}.arguments`);
      }
      if (item.id !== undefined) {
        return wrong(
          `Item '${item.id}' of type 'function_call' was provided without its required 'reasoning' item.`,
        );
      }
      called.add(item.call_id);
    } else {
      if (!called.has(item.call_id)) {
        return wrong(`No tool call found for function call output with call_id ${item.call_id}.`);
      }
      answered.add(item.call_id);
    }
  }
  const missing = [...called].find((id) => !answered.has(id));
  return missing === undefined ? undefined : wrong(`No tool output found for function call ${missing}.`);
}

function refusalOfContent(
  { role, content }: { readonly role: string; readonly content: string | readonly ResponsesPart[] },
): string | undefined {
  if (!["system", "developer", "user", "assistant"].includes(role)) return `Invalid value: '${role}'.`;
  if (typeof content === "string") return undefined;
  const allowed = { user: ["input_text", "input_image"], assistant: ["output_text", "refusal"] }[role] ??
    ["input_text"];
  const other = content.find(({ type }) => !allowed.includes(type));
  if (other) return `Invalid value: '${other.type}'. Supported values are: ${allowed.join(", ")}.`;
  const image = content.find(({ type }) => type === "input_image");
  return image && !/^data:image\/(png|jpeg|gif|webp);base64,/.test(image.image_url ?? "")
    ? "Invalid 'image_url'. Expected a base64-encoded data URL with an image MIME type."
    : undefined;
}

function refusalOfTools({ tools, tool_choice: choice }: ResponsesBody): Refusal | undefined {
  const param = "tool_choice";
  if (!tools?.length) {
    const message = "Tool choice must be specified with 'tools' parameter.";
    return choice === undefined || choice === "none" ? undefined : { message, param };
  }
  const odd = tools.findIndex(({ name }) => !namePattern.test(name ?? ""));
  if (odd !== -1) return { message: `Invalid 'tools[${odd}].name'`, param: `tools[${odd}].name` };
  const { name } = (choice ?? {}) as { readonly name?: string };
  if (typeof choice !== "object" || tools.some((tool) => tool.name === name)) return undefined;
  return { message: "Tool choice 'function' not found in 'tools' parameter.", param };
}
