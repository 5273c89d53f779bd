/** What was said in a conversation: the words whose audio was heard, no others. */
import type { Clock } from "./clock.ts";
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

export interface History {
  /** In the order in which they began to be said. */
  readonly items: readonly HistoryItem[];
  /** Adds what was said; `atMs` (clock milliseconds): when it began, now if it is left out. */
  add(item: Pick<HistoryItem, "role" | "text" | "interrupted"> & { readonly atMs?: number }): void;
}

/** An empty history whose time begins now. */
export function createHistory(clock: Clock): History {
  const beganMs = clock.now();
  const items: HistoryItem[] = [];
  return {
    items,
    add({ role, text, interrupted, atMs = clock.now() }) {
      const item = { id: `item-${items.length + 1}`, role, text, interrupted, atMs: atMs - beganMs };
      const after = items.findLastIndex((other) => other.atMs <= item.atMs);
      items.splice(after + 1, 0, item);
    },
  };
}

/** The prompt for the next answer: the instructions, then the conversation. */
export function messagesFrom(
  instructions: string,
  items: readonly Pick<HistoryItem, "role" | "text">[],
): Message[] {
  const said = items.map(({ role, text }): Message => ({ role, content: text }));
  return [{ role: "system", content: instructions }, ...said];
}
