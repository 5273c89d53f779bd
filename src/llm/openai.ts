/** Language models by OpenAI, and by every server that speaks its API: https://platform.openai.com/docs/api-reference/chat */
import { StageError } from "../errors.ts";
import { openaiClient, openaiError, type OpenAIServer } from "../openai.ts";
import { answerStream } from "./answer_stream.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, TokenUsage } from "./llm.ts";
import { assembleCalls, toolParameters, wireMessages } from "./openai_tools.ts";

export interface OpenAILanguageModelOptions extends OpenAIServer {
  readonly model?: string | undefined;
  /** 0–2; the model's own default when it is left out. */
  readonly temperature?: number | undefined;
  /** The most tokens of one answer. */
  readonly maxTokens?: number | undefined;
  /** "compatible": a server of others (default "openai"). */
  readonly provider?: "openai" | "compatible" | undefined;
}

/** Answers by chat completions, streamed. Nothing is retried here: what may be tried again says so (`retryable`). */
export function openaiLanguageModel(
  { apiKey, baseUrl, keySource, model = "gpt-4o-mini", temperature, maxTokens, provider = "openai" }:
    OpenAILanguageModelOptions,
): LanguageModel {
  // Servers that only resemble OpenAI's know the name that it had before models thought.
  const limit = provider === "openai" ? "max_completion_tokens" : "max_tokens";
  const client = openaiClient({ apiKey, baseUrl });
  const settings = {
    model,
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { [limit]: maxTokens }),
  };

  async function* generate(
    request: LanguageRequest,
    signal: AbortSignal,
  ): AsyncGenerator<LanguageEvent> {
    const calls = assembleCalls();
    try {
      const chunks = await (await client()).chat.completions.create({
        ...settings,
        ...toolParameters(request),
        messages: wireMessages(request.messages),
        stream: true,
        stream_options: { include_usage: true },
      }, { signal });
      let reason: Finish["reason"] | undefined;
      let usage: Finish["usage"];
      for await (const { choices: [choice], usage: counted } of chunks) {
        if (choice?.delta?.content) yield { type: "text", text: choice.delta.content };
        if (choice?.delta?.tool_calls) calls.add(choice.delta.tool_calls);
        if (choice?.finish_reason) reason = reasons[choice.finish_reason] ?? "other";
        if (counted) usage = usageOf(counted);
      }
      if (!reason) throw new StageError("llm", "the model's answer broke off", { retryable: true });
      for (const call of calls.calls()) yield { type: "tool-call", ...call };
      yield { type: "finish", reason, ...(usage && { usage }) };
    } catch (error) {
      throw signal.aborted
        ? signal.reason
        : await openaiError("llm", error, { model, baseUrl, apiKey, keySource });
    }
  }
  return {
    provider,
    model,
    generate: (request, { signal }) => answerStream((signal) => generate(request, signal), signal),
  };
}

type Finish = Extract<LanguageEvent, { type: "finish" }>;

function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details: details }: Counted): TokenUsage {
  const cached = details?.cached_tokens;
  return {
    inputTokens: prompt_tokens,
    outputTokens: completion_tokens,
    ...(cached && { cachedInputTokens: cached }),
  };
}

/** As the API tells it: https://platform.openai.com/docs/api-reference/chat/object */
interface Counted {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | undefined } | undefined;
}

const reasons: Readonly<Record<string, Finish["reason"]>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
};
