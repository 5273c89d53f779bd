/** The events of OpenAI's Realtime API, as far as they are used: https://platform.openai.com/docs/api-reference/realtime */
import * as z from "zod";
import { parseJson } from "../json.ts";
import type { TokenUsage } from "../llm/llm.ts";
import { toldBack } from "../llm/wire.ts";
import type { OpenAI } from "../openai.ts";
import type { Edit, Part } from "./conversation.ts";
import type { ResponseRequest } from "./protocol.ts";

/** What the server is sent. */
export type ClientEvent = OpenAI.Realtime.RealtimeClientEvent;

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
  item_id: z.string().default(""),
  delta: z.string().default(""),
  transcript: z.string().default(""),
  call_id: z.string().default(""),
  name: z.string().default(""),
  arguments: z.string().default(""),
  item: z.object({ id: z.string(), type: z.string(), call_id: z.string().default("") }).optional(),
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

/** What `data` says; undefined when it is no event. */
export const parseEvent = (data: string | Uint8Array): ServerEvent | undefined => parseJson(data, schema);

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

/** A change of the conversation, as the server is told. */
export function editEvent(edit: Edit): ClientEvent {
  switch (edit.type) {
    case "add": {
      const { id, after, part } = edit;
      const previous_item_id = after === null ? "root" : after;
      return {
        type: "conversation.item.create",
        ...(previous_item_id !== undefined && { previous_item_id }),
        item: { id, ...itemOf(part) },
      };
    }
    case "remove":
      return { type: "conversation.item.delete", item_id: edit.id };
    case "cut": {
      const audio_end_ms = Math.floor(edit.heardMs);
      return { type: "conversation.item.truncate", item_id: edit.id, content_index: 0, audio_end_ms };
    }
  }
}

function itemOf(part: Part): OpenAI.Realtime.ConversationItem {
  switch (part.type) {
    case "text": {
      const { role, text } = part;
      if (role === "assistant") return { type: "message", role, content: [{ type: "output_text", text }] };
      return { type: "message", role, content: [{ type: "input_text", text }] };
    }
    case "image": {
      const { mimeType, data } = part.image;
      const image_url = `data:${mimeType};base64,${data}`;
      return { type: "message", role: "user", content: [{ type: "input_image", image_url }] };
    }
    case "call": {
      const { name, arguments: given } = toldBack(part.call);
      return { type: "function_call", call_id: part.call.id, name, arguments: JSON.stringify(given) };
    }
    case "result":
      return { type: "function_call_output", call_id: part.callId, output: part.text };
  }
}

/** The request for a response, which the server tells of by `id`. */
export function responseEvent(
  id: string,
  { instructions, input, tools = [], toolChoice = "auto" }: ResponseRequest,
): ClientEvent {
  return {
    type: "response.create",
    event_id: id,
    response: {
      conversation: input === undefined ? "auto" : "none",
      instructions,
      ...(input !== undefined && { input: [itemOf({ type: "text", role: "user", text: input })] }),
      tools: tools.map((tool) => ({ type: "function", ...tool })),
      tool_choice: typeof toolChoice === "object" ? { type: "function", name: toolChoice.name } : toolChoice,
      metadata: { id },
    },
  };
}
