/** The error classes a caller may want to catch; everything else is a plain Error. */

/** The part of a call in which something failed. */
export type Stage = "room" | "vad" | "stt" | "llm" | "tts" | "turn" | "agent" | "session";

/**
 * A failure of one stage of one call. `retryable`: the same request may succeed if it is made again. `refused`: the
 * provider did not take the key.
 */
export class StageError extends Error {
  override readonly name = "StageError";
  readonly stage: Stage;
  readonly retryable: boolean;
  readonly refused: boolean;

  constructor(
    stage: Stage,
    message: string,
    { retryable = false, refused = false, cause }: {
      retryable?: boolean;
      refused?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.stage = stage;
    this.retryable = retryable;
    this.refused = refused;
  }
}

/** Names `error` with the stage it came from; a StageError keeps its own. */
export function asStageError(stage: Stage, error: unknown): StageError {
  if (error instanceof StageError) return error;
  return new StageError(stage, messageOf(error), { cause: error });
}

/** What the operator or the agent's author got wrong, in words for them: a missing key, an unknown model string. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A task came to no result: the user refused, or the session ended before. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly reason: "refused" | "ended";

  constructor(message: string, { reason }: { readonly reason: "refused" | "ended" }) {
    super(message);
    this.reason = reason;
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
