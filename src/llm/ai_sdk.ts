/** Any language model of the AI SDK: https://ai-sdk.dev/providers */
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Usage } from "@ai-sdk/provider";
import { abortable, untilAborted } from "../abort.ts";
import { messageOf, StageError } from "../errors.ts";
import { httpError } from "../http_errors.ts";
import { promptOf, toolOptions } from "./ai_sdk_prompt.ts";
import { answerStream } from "./answer_stream.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, TokenUsage, ToolCall } from "./llm.ts";
import { writtenArguments } from "./wire.ts";

/** Settings of each request, by the AI SDK's own names. */
export type AiSdkSettings = Pick<
  LanguageModelV4CallOptions,
  "temperature" | "maxOutputTokens" | "topP" | "topK" | "seed" | "reasoning" | "headers" | "providerOptions"
>;

/** Where a model is, and how it is made with its first request. */
export interface AiSdkSource {
  readonly provider: string;
  readonly model: string;
  readonly load: () => Promise<LanguageModelV4>;
  /** Whose server it is, for messages of failures. */
  readonly server: string;
  /** Where its key comes from, for the same; and the key itself, which is in none of them. */
  readonly keySource: string;
  readonly apiKey?: string | undefined;
}

/** Answers with a model of the AI SDK, such as `mistral("mistral-large-latest")` of `npm:@ai-sdk/mistral`; nothing is retried. */
export function aiSdkLanguageModel(model: LanguageModelV4, settings: AiSdkSettings = {}): LanguageModel {
  const [provider = model.provider] = model.provider.split(".");
  const load = () => Promise.resolve(model);
  const source = { provider, model: model.modelId, load, server: provider, keySource: "its key" };
  return languageModelFrom(source, settings);
}

/** The same with a model that is made when it is needed. */
export function languageModelFrom(source: AiSdkSource, settings: AiSdkSettings): LanguageModel {
  const { provider, model } = source;
  let loading: Promise<LanguageModelV4> | undefined;

  async function* generate(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    const calls: ToolCall[] = [];
    let begun = false;
    try {
      signal.throwIfAborted();
      const asked = Promise.resolve((await (loading ??= source.load())).doStream({
        ...settings,
        ...toolOptions(request),
        prompt: promptOf(request.messages),
        abortSignal: signal,
      }));
      const { stream } = await abortable(asked, signal, ({ stream }) => stream.cancel(signal.reason));
      begun = true;
      let finish: Finish | undefined;
      for await (const part of untilAborted(stream, signal)) {
        if (part.type === "error") throw part.error;
        if (part.type === "text-delta" && part.delta) yield { type: "text", text: part.delta };
        if (part.type === "tool-call" && !part.providerExecuted) {
          calls.push({ id: part.toolCallId, name: part.toolName, ...writtenArguments(part.input) });
        }
        if (part.type === "finish") {
          finish = { type: "finish", reason: reasons[part.finishReason.unified], ...counted(part.usage) };
        }
      }
      if (!finish?.reason) throw new StageError("llm", "the model's answer broke off", { retryable: true });
      for (const call of calls) yield { type: "tool-call", ...call };
      yield { ...finish, reason: finish.reason };
    } catch (error) {
      throw signal.aborted ? signal.reason : await failureOf(error, source, begun);
    }
  }
  return {
    provider,
    model,
    generate: (request, { signal }) => answerStream((signal) => generate(request, signal), signal),
  };
}

/**
 * As `fetch`, but the body of the answer ends with the signal whatever happens: Deno forgets the signal when the Response is
 * collected as garbage, though its body is still being read.
 */
export async function fetchUntilAborted(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(input, init);
  if (!response.body || !init?.signal) return response;
  return new Response(untilAborted(response.body, init.signal), response);
}

type Reason = Extract<LanguageEvent, { type: "finish" }>["reason"];
/** Without a reason the answer is not whole. */
type Finish = { readonly type: "finish"; readonly reason: Reason | undefined; readonly usage?: TokenUsage };

const reasons = {
  "stop": "stop",
  "length": "length",
  "content-filter": "content-filter",
  "tool-calls": "tool-calls",
  "other": "other",
  "error": undefined,
  "interrupted": undefined,
} as const;

function counted({ inputTokens, outputTokens }: LanguageModelV4Usage): { readonly usage?: TokenUsage } {
  if (inputTokens.total === undefined || outputTokens.total === undefined) return {};
  const cached = inputTokens.cacheRead;
  const usage = { inputTokens: inputTokens.total, outputTokens: outputTokens.total };
  return { usage: { ...usage, ...(cached && { cachedInputTokens: cached }) } };
}

/** What went wrong, and what to do about it; the key is in none of it. */
async function failureOf(error: unknown, source: AiSdkSource, begun: boolean): Promise<StageError> {
  if (error instanceof StageError) return error;
  const { server, model, keySource, apiKey } = source;
  const told = tellsOf(error);
  const message = apiKey ? told.message.replaceAll(apiKey, "(hidden)") : told.message;
  const { status } = told;
  if (status !== undefined) return httpError("llm", { server, status, message, model, keySource });
  const { AISDKError, APICallError } = await import("@ai-sdk/provider");
  if (!begun && (APICallError.isInstance(error) || error instanceof TypeError)) {
    return new StageError("llm", `${server} cannot be reached`, { retryable: true });
  }
  // What the SDK itself finds wrong with a request, such as a key that is not set, would be wrong again.
  const retryable = begun || !AISDKError.isInstance(error);
  return new StageError("llm", `${server} sent no proper answer: ${message}`, { retryable });
}

/** What an error says, and its HTTP status; one that was told inside an answer is an object like it. */
function tellsOf(error: unknown): { readonly message: string; readonly status: number | undefined } {
  const { message, statusCode, responseBody } = Object(error) as Readonly<Record<string, unknown>>;
  // Google's word for a key that it does not take, which it tells with a 400.
  const keyRefused = typeof responseBody === "string" && responseBody.includes('"API_KEY_INVALID"');
  const failed = typeof statusCode === "number" && statusCode >= 400 ? statusCode : undefined;
  return {
    message: typeof message === "string" ? message : messageOf(error),
    status: keyRefused ? 401 : failed,
  };
}
