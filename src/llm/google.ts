/**
 * Google's Gemini, by the Gemini API: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. It
 * thinks as little before it speaks as the model can.
 */
import type { LanguageModel } from "./llm.ts";
import { fetchUntilAborted, languageModelFrom } from "./ai_sdk.ts";

export interface GoogleLanguageModelOptions {
  readonly apiKey: string;
  /** Another server, up to and including its `/v1beta` (default: Google's). */
  readonly baseUrl?: string | undefined;
  /** Such as "gemini-2.5-flash". */
  readonly model: string;
  /** 0–2 (default: the model's own). */
  readonly temperature?: number | undefined;
  /** The most tokens of one answer (default: the model's own). */
  readonly maxTokens?: number | undefined;
}

/** Loads the SDK: before the first request, if that is not to wait for it. */
export const loadGoogle = (): Promise<typeof import("@ai-sdk/google")> => import("@ai-sdk/google");

/** Answers by generated content, streamed; nothing is retried. */
export function googleLanguageModel(
  { apiKey, baseUrl, model, temperature, maxTokens }: GoogleLanguageModelOptions,
): LanguageModel {
  return languageModelFrom({
    provider: "google",
    model,
    async load() {
      const { createGoogle } = await loadGoogle();
      return createGoogle({ apiKey, fetch: fetchUntilAborted, ...(baseUrl && { baseURL: baseUrl }) })(model);
    },
    server: baseUrl ? new URL(baseUrl).host : "Google",
    keySource: "GOOGLE_API_KEY",
    apiKey,
  }, {
    ...(model.startsWith("gemini-") && { reasoning: "none" as const }),
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
  });
}
