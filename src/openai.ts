/** OpenAI, and every server that speaks its API: https://platform.openai.com/docs/api-reference */
import type { OpenAI } from "openai";
import { messageOf, type Stage, StageError } from "./errors.ts";
import { httpError } from "./http_errors.ts";

/** The SDK's types, for what is sent. */
export type { OpenAI } from "openai";

export interface OpenAIServer {
  readonly apiKey: string;
  /** Another server, up to and including its `/v1` (default: OpenAI's). */
  readonly baseUrl?: string | undefined;
  /** The variable that its key comes from (default "OPENAI_API_KEY"). */
  readonly keySource?: string | undefined;
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
  { model, baseUrl, apiKey, keySource = "OPENAI_API_KEY" }: Partial<OpenAIServer> & {
    readonly model: string;
  },
): Promise<StageError> {
  if (error instanceof StageError) return error;
  const { APIConnectionError, APIError } = await loadOpenAI();
  const server = baseUrl ? new URL(baseUrl).host : "OpenAI";
  const hidden = (message: string) => apiKey ? message.replaceAll(apiKey, "(hidden)") : message;
  const again = (words: string) => new StageError(stage, hidden(`${server} ${words}`), { retryable: true });
  if (error instanceof APIConnectionError) return again("cannot be reached");
  if (!(error instanceof APIError)) return again(`sent no proper answer: ${messageOf(error)}`);
  const { status, message } = error;
  return httpError(stage, { server, status, message: hidden(message), model, keySource });
}
