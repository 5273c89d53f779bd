/**
 * OpenAI's language models by its Responses API: https://platform.openai.com/docs/api-reference/responses-streaming. OpenAI
 * stores nothing of it (`store: false`): each request brings the conversation.
 */
import { StageError } from "../errors.ts";
import { type OpenAI, openaiClient, openaiError } from "../openai.ts";
import { answerStream } from "./answer_stream.ts";
import type { ImagePart, LanguageEvent, LanguageModel, LanguageRequest, Message, ToolCall } from "./llm.ts";
import { newCallId } from "./llm.ts";
import type { OpenAILanguageModelOptions } from "./openai.ts";
import { imagesFromUsersAlone, toldBack, writtenArguments } from "./wire.ts";

/** Answers by responses, streamed; nothing is retried. */
export function openaiResponsesModel(
  { apiKey, baseUrl, model = "gpt-4o-mini", temperature, maxTokens }: OpenAILanguageModelOptions,
): LanguageModel {
  const client = openaiClient({ apiKey, baseUrl });
  const settings = {
    model,
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_output_tokens: maxTokens }),
  };

  async function* generate(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    const calls: ToolCall[] = [];
    try {
      const events = await (await client()).responses.create({
        ...settings,
        ...toolParameters(request),
        input: imagesFromUsersAlone(request.messages).flatMap(inputItems),
        store: false,
        stream: true,
      }, { signal });
      let finish: Finish | undefined;
      for await (const event of events) {
        switch (event.type) {
          case "response.output_text.delta":
          case "response.refusal.delta":
            yield { type: "text", text: event.delta };
            break;
          case "response.output_item.done": {
            const { item } = event;
            if (item.type !== "function_call") break;
            const { call_id, name, arguments: written } = item;
            calls.push({ id: call_id || newCallId(), name, ...writtenArguments(written) });
            break;
          }
          case "response.completed":
          case "response.incomplete":
            finish = finishOf(event.response, calls.length > 0);
            break;
          case "response.failed":
            throw failureOf(event.response.error);
        }
      }
      if (!finish) throw new StageError("llm", "the model's answer broke off", { retryable: true });
      for (const call of calls) yield { type: "tool-call", ...call };
      yield finish;
    } catch (error) {
      throw signal.aborted ? signal.reason : await openaiError("llm", error, { model, baseUrl, apiKey });
    }
  }
  return {
    provider: "openai",
    model,
    generate: (request, { signal }) => answerStream((signal) => generate(request, signal), signal),
  };
}

type Finish = Extract<LanguageEvent, { type: "finish" }>;

function finishOf({ status, usage, incomplete_details }: OpenAI.Responses.Response, called: boolean): Finish {
  const cut = incomplete_details?.reason === "max_output_tokens" ? "length" : "content-filter";
  const cached = usage?.input_tokens_details?.cached_tokens;
  const counted = usage && {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    ...(cached && { cachedInputTokens: cached }),
  };
  const whole = called ? "tool-calls" : "stop";
  return {
    type: "finish",
    reason: status === "incomplete" ? cut : whole,
    ...(counted && { usage: counted }),
  };
}

function failureOf(error: OpenAI.Responses.ResponseError | null): StageError {
  const retryable = error?.code === "server_error" || error?.code === "rate_limit_exceeded";
  return new StageError("llm", `OpenAI failed: ${error?.message ?? "it does not say why"}`, { retryable });
}

/** The parameters that concern tools. */
function toolParameters(
  { tools = [], toolChoice = "auto" }: LanguageRequest,
): Pick<OpenAI.Responses.ResponseCreateParams, "tools" | "tool_choice"> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: "function",
      name,
      description,
      parameters: { ...parameters },
      // A strict schema must name every property as required: https://platform.openai.com/docs/guides/structured-outputs
      strict: false,
    })),
    tool_choice: typeof toolChoice === "string" ? toolChoice : { type: "function", name: toolChoice.name },
  };
}

/** A message as items of the API's. Calls bring no `id` of their own: with one, the API asks for the thoughts before it. */
function inputItems(message: Message): OpenAI.Responses.ResponseInputItem[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user":
      return [{ role: "user", content: shownWith(message.content, message.images) }];
    case "tool":
      return [{ type: "function_call_output", call_id: message.callId, output: message.content }];
    case "assistant": {
      const { content, toolCalls = [] } = message;
      const calls = toolCalls.map((call) => {
        const { name, arguments: given } = toldBack(call);
        return { type: "function_call" as const, call_id: call.id, name, arguments: JSON.stringify(given) };
      });
      return [...(content ? [{ role: "assistant" as const, content }] : []), ...calls];
    }
  }
}

function shownWith(
  text: string,
  images: readonly ImagePart[] = [],
): OpenAI.Responses.EasyInputMessage["content"] {
  if (images.length === 0) return text;
  return [
    { type: "input_text", text },
    ...images.map(({ mimeType, data }) => ({
      type: "input_image" as const,
      detail: "auto" as const,
      image_url: `data:${mimeType};base64,${data}`,
    })),
  ];
}
