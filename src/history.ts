/** What was said in a conversation: the words whose audio was heard, no others; and what was done in it. */
import type { Clock } from "./clock.ts";
import { forgetImages, type Told, told } from "./history/images.ts";
import { namesOf, severalPeople } from "./history/speakers.ts";
import { type HistoryUpdate, updated } from "./history/update.ts";
import type { ImagePart, Message, ToolCall } from "./llm/llm.ts";
import { pendingWords, type ToolOutcome } from "./tools/result.ts";
import type { Speaker } from "./turn/state.ts";
import { videoDefaults } from "./vision/options.ts";

/**
 * One thing that was said, or that the model is told without anybody saying it (role "system"). `atMs`: milliseconds since
 * the session began, when it began to be said; less than 0 for what comes from an earlier session.
 */
export interface MessageItem {
  readonly type?: "message";
  /** No other item of the session has it, and it stays the item's own. */
  readonly id: string;
  readonly role: "system" | "user" | "assistant";
  readonly text: string;
  /** Whose words they are, where the agent hears several people. */
  readonly speaker?: Speaker;
  /** What the user showed meanwhile; of what is not kept any more `data` is empty. */
  readonly images?: readonly ImagePart[];
  /** The agent was cut off here. */
  readonly interrupted: boolean;
  readonly atMs: number;
}

/** What somebody has said. */
export type SaidItem = MessageItem & { readonly role: "user" | "assistant" };

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
  /** What it is shown besides; of what is not kept any more `data` is empty. */
  readonly images?: readonly ImagePart[];
  readonly atMs: number;
}

/** What was said, a tool that was called, or what became of that. */
export type HistoryItem = MessageItem | ToolCallItem | ToolResultItem;

export interface History {
  /** In the order in which they began. */
  readonly items: readonly HistoryItem[];
  /** Adds what was said; `atMs` (clock milliseconds): when it began, now if it is left out. */
  add(
    item: Pick<MessageItem, "role" | "text" | "speaker" | "images" | "interrupted"> & {
      readonly atMs?: number;
    },
  ): void;
  /** Adds a call that is being made. */
  addCall(call: ToolCall): void;
  /** Whether a call of that id is in it. */
  hasCall(callId: string): boolean;
  /** Adds what became of a call, in place of what was said of that before; nothing when the call was taken out. */
  addResult(result: Pick<ToolResultItem, "callId" | "outcome" | "content" | "images">): void;
  /** Takes `update` in place of the items there are; throws a TypeError, and changes nothing, when it makes no history. */
  update(update: HistoryUpdate): void;
  /** How often it was updated. */
  readonly revision: number;
  /** Milliseconds since the session began. */
  readonly elapsedMs: number;
}

/** What was said, without what was done. */
export const saidIn = (items: readonly HistoryItem[]): SaidItem[] =>
  items.filter((item): item is SaidItem => isMessage(item) && item.role !== "system");

/** Whether `item` is said, and not done. */
export const isMessage = <T extends { readonly type?: unknown }>(
  item: T,
): item is Exclude<T, { readonly type: "tool-call" | "tool-result" }> =>
  item.type !== "tool-call" && item.type !== "tool-result";

/**
 * A history whose time begins now, empty unless it goes on from one `before`. `name`: what the ids begin with, so that no
 * other session has them; `imagesKept`: how many images, the newest.
 */
export function createHistory(
  clock: Clock,
  name = "item",
  imagesKept: () => number = () => videoDefaults.keep,
  before: Pick<History, "items" | "elapsedMs"> = { items: [], elapsedMs: 0 },
): History {
  const beganMs = clock.now() - before.elapsedMs;
  const items: HistoryItem[] = [...before.items];
  let given = 0;
  let revision = 0;
  const newId = (isTaken: (id: string) => boolean) => {
    let id: string;
    do id = `${name}-${++given}`; while (isTaken(id));
    return id;
  };
  const insert = (item: HistoryItem) => {
    const after = items.findLastIndex((other) => other.atMs <= item.atMs);
    items.splice(after + 1, 0, item);
    forgetImages(items, imagesKept());
  };
  const about = (atMs = clock.now()) => ({
    id: newId((id) => items.some((item) => item.id === id)),
    atMs: atMs - beganMs,
  });
  const hasCall = (callId: string) =>
    items.some((item) => item.type === "tool-call" && item.call.id === callId);
  return {
    items,
    hasCall,
    get revision() {
      return revision;
    },
    get elapsedMs() {
      return clock.now() - beganMs;
    },
    add({ role, text, speaker, images, interrupted, atMs }) {
      const { id, ...at } = about(atMs);
      const more = { ...(speaker && { speaker }), ...(images && { images: [...images] }) };
      insert({ id, role, text, ...more, interrupted, ...at });
    },
    addCall: (call) => insert({ type: "tool-call", ...about(), call }),
    addResult({ callId, outcome, content, images }) {
      if (!hasCall(callId)) return;
      const before = items.findIndex((item) => item.type === "tool-result" && item.callId === callId);
      if (before >= 0) items.splice(before, 1);
      const more = images && { images: [...images] };
      insert({ type: "tool-result", ...about(), callId, outcome, content, ...more });
    },
    update(update) {
      const wanted = typeof update === "function" ? update([...items]) : update;
      items.splice(0, Infinity, ...updated(wanted, { items, nowMs: clock.now() - beganMs, newId }));
      forgetImages(items, imagesKept());
      revision++;
    },
  };
}

/** What of an item the model is told. */
export type PromptItem =
  | Pick<MessageItem, "type" | "role" | "text" | "speaker" | "images">
  | Pick<ToolCallItem, "type" | "call">
  | Pick<ToolResultItem, "type" | "callId" | "content" | "images">;

/**
 * The prompt for the next answer: the instructions, then the conversation. Each call has exactly one result, right behind
 * it, wherever that stands in `items`: the last there is, or the words that it is still awaited. A result whose call is not
 * there is left out. Calls that follow each other are told as made together, with what was said just before. `nameOf`: what
 * speakers are called, where several people talk with the agent.
 */
export function messagesFrom(
  instructions: string,
  items: readonly PromptItem[],
  nameOf = namesOf(items),
): Message[] {
  const results = new Map<string, Told>();
  for (const item of items) {
    if (item.type === "tool-result") results.set(item.callId, told(item.content, item.images));
  }
  const messages: Message[] = [{
    role: "system",
    content: nameOf ? `${instructions}\n\n${severalPeople}` : instructions,
  }];
  let together: ToolCall[] = [];
  const tellCalls = () => {
    if (together.length === 0) return;
    const before = messages.at(-1);
    const said = before?.role === "assistant" && !before.toolCalls ? before.content : undefined;
    if (said !== undefined) messages.pop();
    messages.push({ role: "assistant", content: said ?? "", toolCalls: together });
    for (const { id } of together) {
      messages.push({ role: "tool", callId: id, ...results.get(id) ?? { content: pendingWords } });
    }
    together = [];
  };
  for (const item of items) {
    if (item.type === "tool-call") {
      if (!together.some(({ id }) => id === item.call.id)) together.push(item.call);
      continue;
    }
    tellCalls();
    if (!isMessage(item)) continue;
    const { role, text, speaker, images } = item;
    messages.push({ role, ...told(nameOf && speaker ? `${nameOf(speaker)}: ${text}` : text, images) });
  }
  tellCalls();
  return messages;
}
