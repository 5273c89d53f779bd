/** Language models by OpenAI, and by every server that speaks its API: https://platform.openai.com/docs/api-reference/chat */
import type { OpenAI } from "openai";
import { messageOf, StageError } from "../errors.ts";
import type { LanguageEvent, LanguageModel } from "./llm.ts";

export interface OpenAILanguageModelOptions {
  readonly apiKey: string;
  /** Another server, up to and including its `/v1` (default: OpenAI's). */
  readonly baseUrl?: string | undefined;
  readonly model?: string | undefined;
  /** 0–2; the model's own default when it is left out. */
  readonly temperature?: number | undefined;
  /** The most tokens of one answer. */
  readonly maxTokens?: number | undefined;
}

/** Answers by chat completions, streamed. Nothing is retried here: what may be tried again says so (`retryable`). */
export function openaiLanguageModel(
  { apiKey, baseUrl, model = "gpt-4o-mini", temperature, maxTokens }: OpenAILanguageModelOptions,
): LanguageModel {
  let client: Promise<OpenAI> | undefined;
  const settings = {
    model,
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_completion_tokens: maxTokens }),
  };

  async function* generate(
    messages: Parameters<LanguageModel["generate"]>[0]["messages"],
    signal: AbortSignal,
  ): AsyncGenerator<LanguageEvent> {
    try {
      client ??= createClient(apiKey, baseUrl);
      const chunks = await (await client).chat.completions.create({
        ...settings,
        messages: [...messages],
        stream: true,
        stream_options: { include_usage: true },
      }, { signal });
      let reason: Finish["reason"] | undefined;
      let usage: Finish["usage"];
      for await (const { choices: [choice], usage: counted } of chunks) {
        if (choice?.delta?.content) yield { type: "text", text: choice.delta.content };
        if (choice?.finish_reason) reason = reasons[choice.finish_reason] ?? "other";
        if (counted) usage = { inputTokens: counted.prompt_tokens, outputTokens: counted.completion_tokens };
      }
      if (!reason) throw new StageError("llm", "the model's answer broke off", { retryable: true });
      yield { type: "finish", reason, ...(usage && { usage }) };
    } catch (error) {
      throw signal.aborted ? signal.reason : await inWords(error, { model, baseUrl });
    }
  }
  return {
    provider: "openai",
    model,
    generate({ messages }, { signal }) {
      const abort = new AbortController();
      const events = generate(messages, AbortSignal.any([signal, abort.signal]));
      return eagerly(events, () => abort.abort());
    },
  };
}

type Finish = Extract<LanguageEvent, { type: "finish" }>;

const reasons: Readonly<Record<string, Finish["reason"]>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
};

/** The SDK is loaded with the first answer, so that a start does not wait for it. */
async function createClient(apiKey: string, baseURL: string | undefined): Promise<OpenAI> {
  const { OpenAI } = await import("openai");
  return new OpenAI({ apiKey, ...(baseURL && { baseURL }), maxRetries: 0 });
}

/** A stream of `events` whose first is asked for at once: the request leaves before anybody reads. */
function eagerly<T>(events: AsyncGenerator<T>, cancel: () => void): ReadableStream<T> {
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      cancel();
      await events.return(undefined);
    },
  }, { highWaterMark: 1 });
}

/** What went wrong, and what to do about it; the key is in none of it. */
async function inWords(
  error: unknown,
  { model, baseUrl }: { readonly model: string; readonly baseUrl: string | undefined },
): Promise<StageError> {
  if (error instanceof StageError) return error;
  const { APIConnectionError, APIError } = await import("openai");
  const server = baseUrl ? new URL(baseUrl).host : "OpenAI";
  const failed = (message: string, retryable: boolean) => new StageError("llm", message, { retryable });
  if (error instanceof APIConnectionError) return failed(`${server} cannot be reached`, true);
  if (!(error instanceof APIError)) {
    return failed(`${server} sent no proper answer: ${messageOf(error)}`, true);
  }
  switch (error.status) {
    case 401:
    case 403:
      return failed(`${server} refused the key: check OPENAI_API_KEY`, false);
    case 404:
      return failed(`${server} has no model ${JSON.stringify(model)}: check LLM, or the agent's llm`, false);
    case 429:
      return failed(`${server} takes no more requests now: the rate limit or the quota is used up`, true);
    default:
      // An error without a status came inside the stream.
      return failed(`${server} failed: ${error.message}`, (error.status ?? 500) >= 500);
  }
}
