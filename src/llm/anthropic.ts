/**
 * Anthropic's language models, by the Messages API: https://docs.anthropic.com/en/api/messages-streaming. They do not think
 * before they speak, where that can be left out.
 */
import type { LanguageModel } from "./llm.ts";
import { fetchUntilAborted, languageModelFrom } from "./ai_sdk.ts";

export interface AnthropicLanguageModelOptions {
  readonly apiKey: string;
  /** Another server, up to and including its `/v1` (default: Anthropic's). */
  readonly baseUrl?: string | undefined;
  /** Such as "claude-haiku-4-5". */
  readonly model: string;
  /** 0–1 (default: the model's own); models that take none are asked without. */
  readonly temperature?: number | undefined;
  /** The most tokens of one answer (default: the model's own). */
  readonly maxTokens?: number | undefined;
}

/** Loads the SDK: before the first request, if that is not to wait for it. */
export const loadAnthropic = (): Promise<typeof import("@ai-sdk/anthropic")> => import("@ai-sdk/anthropic");

/** Answers by messages, streamed; nothing is retried. */
export function anthropicLanguageModel(
  { apiKey, baseUrl, model, temperature, maxTokens }: AnthropicLanguageModelOptions,
): LanguageModel {
  return languageModelFrom({
    provider: "anthropic",
    model,
    async load() {
      const { createAnthropic } = await loadAnthropic();
      const baseURL = baseUrl ?? "https://api.anthropic.com/v1";
      return createAnthropic({ apiKey, baseURL, fetch: fetchUntilAborted })(model);
    },
    server: baseUrl ? new URL(baseUrl).host : "Anthropic",
    keySource: "ANTHROPIC_API_KEY",
    apiKey,
  }, {
    reasoning: "none",
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
  });
}
