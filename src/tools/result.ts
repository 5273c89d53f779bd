/** What became of a call, and how the model is told of it. */
import { messageOf } from "../errors.ts";
import type { ImagePart } from "../llm/llm.ts";

/**
 * How a call ended. `"invalid"`: its arguments, or its name, were refused, or it was made too often, and nothing was done.
 * `"declined"`: the user was asked, and did not agree. `"failed"`: the tool threw. `"timed-out"`: it took too long and was
 * stopped. `"cancelled"`: it was stopped, or not begun, since the answer was cut off or the session ended. `"running"`: it
 * goes on; the result is not the last.
 */
export type ToolOutcome =
  | "done"
  | "failed"
  | "invalid"
  | "declined"
  | "timed-out"
  | "cancelled"
  | "running";

/** What became of one call. */
export interface ToolResult {
  /** The id of the call. */
  readonly callId: string;
  readonly name: string;
  readonly outcome: ToolOutcome;
  /** What the model is told. */
  readonly content: string;
  /** What the model is shown besides. */
  readonly images?: readonly ImagePart[];
  /** What the tool returned, where it is "done". */
  readonly value?: unknown;
}

/** What a result may have, in characters: some 4,000 tokens. */
const mostCharacters = 16_000;

/** Stands in for the result of a call that is under way. */
export const pendingWords =
  "This is still running, and there is no result yet. Do not call it again: its result will stand here.";

/** Whether a tool returned a picture. */
export function isImage(value: unknown): value is ImagePart {
  if (typeof value !== "object" || value === null) return false;
  const { type, mimeType, data }: Partial<ImagePart> = value;
  return type === "image" && typeof mimeType === "string" && typeof data === "string";
}

/** What a tool returned, as text of a bounded length: JSON, or text as it stands. Never throws. */
export function resultInWords(value: unknown): string {
  if (value === undefined) return "Done.";
  if (isImage(value)) return "The picture follows.";
  if (typeof value === "string" && value !== "") return bounded(value);
  try {
    return bounded(JSON.stringify(value) ?? `Done; the result is a ${typeof value}, which cannot be shown.`);
  } catch (error) {
    return bounded(`Done, but the result cannot be shown: ${messageOf(error)}`);
  }
}

/** What a tool threw, as text of a bounded length. */
export const failureInWords = (error: unknown): string => bounded(`This failed: ${messageOf(error)}`);

function bounded(text: string): string {
  if (text.length <= mostCharacters) return text;
  const count = (n: number) => n.toLocaleString("en-US");
  return `${text.slice(0, mostCharacters).toWellFormed()}… (the first ${count(mostCharacters)} of ${
    count(text.length)
  } characters)`;
}
