/** What was said in a conversation: the words whose audio was heard, no others; and what was done in it. */
import type { Clock } from "./clock.ts";
import type { Message, ToolCall } from "./llm/llm.ts";
import { pendingWords, type ToolOutcome } from "./tools/result.ts";

/** One thing that was said. `atMs`: milliseconds since the session began, when it began to be said. */
export interface MessageItem {
  readonly type?: "message";
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly text: string;
  /** The agent was cut off here. */
  readonly interrupted: boolean;
  readonly atMs: number;
}

/** A tool that was called. `atMs`: milliseconds since the session began. */
export interface ToolCallItem {
  readonly type: "tool-call";
  readonly id: string;
  readonly call: ToolCall;
  readonly atMs: number;
}

/** What became of a call, once that is known. `atMs`: milliseconds since the session began. */
export interface ToolResultItem {
  readonly type: "tool-result";
  readonly id: string;
  /** The call's own id: `call.id` of its ToolCallItem. */
  readonly callId: string;
  readonly outcome: ToolOutcome;
  /** What the model is told. */
  readonly content: string;
  readonly atMs: number;
}

/** What was said, a tool that was called, or what became of that. */
export type HistoryItem = MessageItem | ToolCallItem | ToolResultItem;

export interface History {
  /** In the order in which they began. */
  readonly items: readonly HistoryItem[];
  /** Adds what was said; `atMs` (clock milliseconds): when it began, now if it is left out. */
  add(item: Pick<MessageItem, "role" | "text" | "interrupted"> & { readonly atMs?: number }): void;
  /** Adds a call that is being made. */
  addCall(call: ToolCall): void;
  /** Adds what became of a call. */
  addResult(result: Pick<ToolResultItem, "callId" | "outcome" | "content">): void;
}

/** What was said, without what was done. */
export const saidIn = (items: readonly HistoryItem[]): MessageItem[] =>
  items.filter((item) => item.type !== "tool-call" && item.type !== "tool-result");

/** An empty history whose time begins now. */
export function createHistory(clock: Clock): History {
  const beganMs = clock.now();
  const items: HistoryItem[] = [];
  const insert = (item: HistoryItem) => {
    const after = items.findLastIndex((other) => other.atMs <= item.atMs);
    items.splice(after + 1, 0, item);
  };
  const about = (atMs = clock.now()) => ({ id: `item-${items.length + 1}`, atMs: atMs - beganMs });
  return {
    items,
    add({ role, text, interrupted, atMs }) {
      const { id, ...at } = about(atMs);
      insert({ id, role, text, interrupted, ...at });
    },
    addCall: (call) => insert({ type: "tool-call", ...about(), call }),
    addResult: ({ callId, outcome, content }) =>
      insert({ type: "tool-result", ...about(), callId, outcome, content }),
  };
}

/** What of an item the model is told. */
export type PromptItem =
  | Pick<MessageItem, "type" | "role" | "text">
  | Pick<ToolCallItem, "type" | "call">
  | Pick<ToolResultItem, "type" | "callId" | "content">;

/**
 * The prompt for the next answer: the instructions, then the conversation. Each call has exactly one result, right behind
 * it, wherever that stands in `items`: the last there is, or the words that it is still awaited. A result whose call is not
 * there is left out. Calls that follow each other are told as made together, with what was said just before.
 */
export function messagesFrom(instructions: string, items: readonly PromptItem[]): Message[] {
  const results = new Map<string, string>();
  for (const item of items) if (item.type === "tool-result") results.set(item.callId, item.content);
  const messages: Message[] = [{ role: "system", content: instructions }];
  let together: ToolCall[] = [];
  const tellCalls = () => {
    if (together.length === 0) return;
    const before = messages.at(-1);
    const said = before?.role === "assistant" && !before.toolCalls ? before.content : undefined;
    if (said !== undefined) messages.pop();
    messages.push({ role: "assistant", content: said ?? "", toolCalls: together });
    for (const { id } of together) {
      messages.push({ role: "tool", callId: id, content: results.get(id) ?? pendingWords });
    }
    together = [];
  };
  for (const item of items) {
    if (item.type === "tool-call") {
      if (!together.some(({ id }) => id === item.call.id)) together.push(item.call);
      continue;
    }
    tellCalls();
    if (item.type !== "tool-result") messages.push({ role: item.role, content: item.text });
  }
  tellCalls();
  return messages;
}
