/** Which call code is run for, wherever it is. */
import { AsyncLocalStorage } from "node:async_hooks";

/** The call that what is run by a tool belongs to. */
export const callAtWork = new AsyncLocalStorage<{
  /** Whether the tool is still at work. */
  readonly isAtWork: boolean;
  /**
   * From now on nobody waits for the call, and nothing stops it but the session's end: it holds a conversation of its own.
   * Settles when the user's turn is sure to be over that it was made in.
   */
  detach(): Promise<void>;
}>();
