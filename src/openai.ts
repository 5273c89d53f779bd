/** OpenAI, and every server that speaks its API: https://platform.openai.com/docs/api-reference */
import type { OpenAI } from "openai";
import { messageOf, type Stage, StageError } from "./errors.ts";

/** The SDK's types, for what is sent. */
export type { OpenAI } from "openai";

export interface OpenAIServer {
  readonly apiKey: string;
  /** Another server, up to and including its `/v1` (default: OpenAI's). */
  readonly baseUrl?: string | undefined;
}

/** Loads the SDK, which takes a tenth of a second: before the first request, if that is not to wait for it. */
export const loadOpenAI = (): Promise<typeof import("openai")> => import("openai");

/** The client for `server`. Its SDK is loaded with the first request, so that a start does not wait for it; it retries nothing. */
export function openaiClient({ apiKey, baseUrl }: OpenAIServer): () => Promise<OpenAI> {
  let client: Promise<OpenAI> | undefined;
  const create = async () => {
    const { OpenAI } = await loadOpenAI();
    return new OpenAI({ apiKey, ...(baseUrl && { baseURL: baseUrl }), maxRetries: 0, logLevel: "off" });
  };
  return () => client ??= create();
}

/** What went wrong with a request to `server`, and what to do about it; the key is in none of it. */
export async function openaiError(
  stage: Stage,
  error: unknown,
  { model, baseUrl, apiKey }: Partial<OpenAIServer> & { readonly model: string },
): Promise<StageError> {
  if (error instanceof StageError) return error;
  const { APIConnectionError, APIError } = await loadOpenAI();
  const server = baseUrl ? new URL(baseUrl).host : "OpenAI";
  const failed = (message: string, retryable: boolean, refused = false) =>
    new StageError(stage, apiKey ? message.replaceAll(apiKey, "(hidden)") : message, { retryable, refused });
  if (error instanceof APIConnectionError) return failed(`${server} cannot be reached`, true);
  if (!(error instanceof APIError)) {
    return failed(`${server} sent no proper answer: ${messageOf(error)}`, true);
  }
  switch (error.status) {
    case 401:
    case 403:
      return failed(`${server} refused the key: check OPENAI_API_KEY`, false, true);
    case 404:
      return failed(
        `${server} has no model ${
          JSON.stringify(model)
        }: check ${stage.toUpperCase()}, or the agent's ${stage}`,
        false,
      );
    case 429:
      return failed(`${server} takes no more requests now: the rate limit or the quota is used up`, true);
    default:
      // An error without a status came inside the stream.
      return failed(`${server} failed: ${error.message}`, (error.status ?? 500) >= 500);
  }
}
