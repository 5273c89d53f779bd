/** The events of OpenAI's Realtime API, as far as they are used: https://platform.openai.com/docs/api-reference/realtime */
import * as z from "zod";
import type { LanguageRequest, TokenUsage } from "../llm/llm.ts";

const failure = z.object({
  type: z.string().nullish(),
  code: z.string().nullish(),
  message: z.string().default("for no reason"),
  event_id: z.string().nullish(),
});

const count = z.number().default(0);
const kinds = z.object({ text_tokens: count, audio_tokens: count });

const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  input_token_details: z.object({
    audio_tokens: count,
    cached_tokens: count,
    cached_tokens_details: kinds.partial().nullish(),
  }).nullish(),
  output_token_details: kinds.partial().nullish(),
});

const schema = z.object({
  type: z.string(),
  response_id: z.string().optional(),
  item_id: z.string().optional(),
  delta: z.string().optional(),
  transcript: z.string().optional(),
  call_id: z.string().optional(),
  name: z.string().optional(),
  arguments: z.string().optional(),
  item: z.object({ id: z.string(), type: z.string(), call_id: z.string().optional() }).optional(),
  response: z.object({
    id: z.string(),
    status: z.string().optional(),
    status_details: z.object({ reason: z.string().optional(), error: failure.partial().nullish() }).nullish(),
    metadata: z.record(z.string(), z.string()).nullish(),
    usage: usage.nullish(),
  }).optional(),
  error: failure.optional(),
});

/** What the server sends. */
export type ServerEvent = z.infer<typeof schema>;
export type ServerFailure = z.infer<typeof failure>;
/** What it is sent. */
export type ClientEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

/** What `data` says; undefined when it is no event. */
export function parseEvent(data: string | Uint8Array): ServerEvent | undefined {
  if (typeof data !== "string") return undefined;
  try {
    return schema.parse(JSON.parse(data));
  } catch {
    return undefined; // whoever asked loses the connection for it
  }
}

/** How many tokens a response took. */
export function tokensOf(told: z.infer<typeof usage>): TokenUsage {
  const { input_tokens, output_tokens, input_token_details: input, output_token_details: output } = told;
  return {
    inputTokens: input_tokens,
    outputTokens: output_tokens,
    cachedInputTokens: input?.cached_tokens ?? 0,
    audio: {
      inputTokens: input?.audio_tokens ?? 0,
      cachedInputTokens: input?.cached_tokens_details?.audio_tokens ?? 0,
      outputTokens: output?.audio_tokens ?? 0,
    },
  };
}

/** What a response may call, as it is told. */
export function wireTools({ tools = [], toolChoice = "auto" }: Omit<LanguageRequest, "messages">) {
  return {
    tools: tools.map((tool) => ({ type: "function", ...tool })),
    tool_choice: typeof toolChoice === "object" ? { type: "function", name: toolChoice.name } : toolChoice,
  };
}
