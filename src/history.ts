/** What was said in a conversation: the words whose audio was heard, no others. */
import type { Message } from "./llm/llm.ts";

/** One thing that was said. `atMs`: milliseconds since the session began, when it began to be said. */
export interface HistoryItem {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly text: string;
  /** The agent was cut off here. */
  readonly interrupted: boolean;
  readonly atMs: number;
}

/** The prompt for the next answer: the instructions, then the conversation. */
export function messagesFrom(instructions: string, items: readonly HistoryItem[]): Message[] {
  const said = items.map(({ role, text }): Message => ({ role, content: text }));
  return [{ role: "system", content: instructions }, ...said];
}
