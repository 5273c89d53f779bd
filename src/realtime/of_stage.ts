import { asStageError, type Stage, StageError } from "../errors.ts";

/** A failure of the connection that all share, as that of one of them. */
export function ofStage(stage: Stage, error: unknown): StageError {
  const { message, retryable, refused } = asStageError(stage, error);
  return new StageError(stage, message, { retryable, refused, cause: error });
}
