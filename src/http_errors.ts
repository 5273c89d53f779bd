import { type Stage, StageError } from "./errors.ts";

export interface HttpFailure {
  /** Whose server it is, in words or as a host. */
  readonly server: string;
  /** Undefined: the error came inside an answer that had begun well. */
  readonly status: number | undefined;
  /** What the server says of it. */
  readonly message: string;
  readonly model: string;
  /** Where the key comes from: the name of a variable, or words. */
  readonly keySource: string;
}

/** The failure that a provider's server told by an HTTP status: what it means, and what to do about it. */
export function httpError(
  stage: Stage,
  { server, status, message, model, keySource }: HttpFailure,
): StageError {
  const failed = (words: string, retryable: boolean, refused = false) =>
    new StageError(stage, `${server} ${words}`, { retryable, refused });
  switch (status) {
    case 401:
    case 403:
      return failed(`refused the key: check ${keySource}`, false, true);
    case 404: {
      const named = JSON.stringify(model);
      return failed(`has no model ${named}: check ${stage.toUpperCase()}, or the agent's ${stage}`, false);
    }
    case 429:
      return failed("takes no more requests now: the rate limit or the quota is used up", true);
    default:
      return failed(`failed: ${message}`, (status ?? 500) >= 500);
  }
}
