/** The conversation as OpenAI's server has it, kept in step with what the model is to be told: by its differences alone. */
import type { LanguageRequest, Message, ToolCall } from "../llm/llm.ts";
import { imagesFromUsersAlone, toldBack } from "../llm/wire.ts";
import type { ClientEvent } from "./openai_messages.ts";

/** The user's voice, as far as it was committed, or is about to be. */
export interface Utterance {
  readonly type: "heard";
  /** What the server calls it, once it does. */
  id: string | undefined;
  /** What was told of it by now; all of it once that is final. */
  words: string;
  isFinal: boolean;
  /** The history has had it. */
  isTold: boolean;
}

type Item =
  | Utterance
  /** Spoken by the model; when it was cut off, `text` has more than was heard. */
  | { readonly type: "spoken"; readonly id: string; text: () => string; isCut: boolean }
  /** Told in writing, or a call that the model has made. */
  | { readonly type: "told"; readonly id: string; readonly key: string };

/** What is to be in the conversation. */
interface Wanted {
  readonly key: string;
  readonly said?: { readonly by: "user" | "assistant"; readonly words: string };
  readonly item: Readonly<Record<string, unknown>>;
}

export interface Conversation {
  /** The user's voice was committed: it stands at the end from now on. */
  heard(utterance: Utterance): void;
  /** Whether there is a voice in it whose words are not known yet. */
  readonly isToVoice: boolean;
  /** The model has begun to speak. */
  spoke(id: string, text: () => string): void;
  /** The model has made a call. */
  called(id: string, callId: string): void;
  /** Of what the model spoke only so much was heard, in milliseconds. */
  cut(id: string, audioMs: number): ClientEvent | undefined;
  /**
   * What makes it say what `messages` do, instructions left out. What the user has said last, and is not transcribed yet,
   * stays in it.
   */
  update(messages: LanguageRequest["messages"]): ClientEvent[];
}

/** An empty conversation, as each connection begins. */
export function createConversation(newId: () => string): Conversation {
  let items: Item[] = [];
  const isUnknown = (item: Item) => item.type === "heard" && !item.isFinal;
  const isFresh = (item: Item) =>
    isUnknown(item) || (item.type === "heard" && !item.isTold && item.words !== "");

  /** The first of `items`, from `at` on, that say what is wanted: several where the user paused. */
  const find = ({ key, said }: Wanted, at: number): { from: number; to: number } | undefined => {
    for (let from = at; from < items.length; from++) {
      const item = items[from]!;
      if (item.type === "told" && item.key === key) return { from, to: from + 1 };
      if (item.type === "spoken" && said?.by === "assistant" && saysSo(item, said.words)) {
        return { from, to: from + 1 };
      }
      if (item.type !== "heard" || said?.by !== "user") continue;
      const to = endOf(from, folded(said.words));
      if (to !== undefined) return { from, to };
    }
    return undefined;
  };
  const endOf = (from: number, words: string): number | undefined => {
    let heard = "";
    for (let to = from; items[to]?.type === "heard"; to++) {
      heard = folded(`${heard} ${(items[to] as Utterance).words}`);
      if (heard === words && heard !== "") return to + 1;
      if (!words.startsWith(heard)) return undefined;
    }
    return undefined;
  };

  return {
    heard: (utterance) => void items.push(utterance),
    get isToVoice() {
      return items.some(isUnknown);
    },
    spoke: (id, text) => void items.push({ type: "spoken", id, text, isCut: false }),
    called: (id, callId) => void items.push({ type: "told", id, key: callKey(callId) }),
    cut(id, audioMs) {
      const item = items.find((item) => item.type === "spoken" && item.id === id);
      if (item?.type !== "spoken") return undefined;
      item.isCut = true;
      const audio_end_ms = Math.floor(audioMs);
      return { type: "conversation.item.truncate", item_id: id, content_index: 0, audio_end_ms };
    },
    update(messages) {
      const events: ClientEvent[] = [];
      const next: Item[] = [];
      let at = 0;
      const passOver = (until: number, isKept: (item: Item) => boolean) => {
        for (const item of items.slice(at, until)) {
          if (isKept(item)) next.push(item);
          else if (item.id !== undefined) events.push({ type: "conversation.item.delete", item_id: item.id });
        }
        at = until;
      };
      const all = wantedOf(messages);
      /** What the user said there is told in writing, in place of their voice. */
      let isWritten = false;
      const lastOfUser = all.findLastIndex(({ said }) => said?.by === "user");
      for (const [n, wanted] of all.entries()) {
        const found = find(wanted, at);
        if (found) {
          // What is answered may be in no history yet, while the model goes on with its answer.
          passOver(found.from, n > lastOfUser && !isWritten ? isFresh : isUnknown);
          isWritten = false;
          for (const item of items.slice(found.from, found.to)) {
            if (item.type === "heard") item.isTold = true;
            next.push(item);
          }
          at = found.to;
          continue;
        }
        isWritten ||= wanted.said?.by === "user";
        const id = newId();
        const last = next.at(-1);
        const previous_item_id = last ? last.id : "root";
        events.push({
          type: "conversation.item.create",
          ...(previous_item_id !== undefined && { previous_item_id }),
          item: { id, ...wanted.item },
        });
        next.push({ type: "told", id, key: wanted.key });
      }
      passOver(items.length, isUnknown);
      items = next;
      return events;
    },
  };
}

/** Letters and digits alone: what has to agree. */
const folded = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim();

function saysSo({ text, isCut }: Extract<Item, { type: "spoken" }>, words: string): boolean {
  const [spoken, wanted] = [folded(text()), folded(words)];
  return isCut ? wanted !== "" && spoken.startsWith(wanted) : spoken === wanted;
}

const callKey = (callId: string): string => `call ${callId}`;

function wantedOf(messages: readonly Message[]): Wanted[] {
  return imagesFromUsersAlone(messages).flatMap((message, at): Wanted[] => {
    const { role, content } = message;
    if (role === "system") return at === 0 ? [] : [messageOf(role, { type: "input_text", text: content })];
    if (role === "tool") {
      const { callId } = message;
      const item = { type: "function_call_output", call_id: callId, output: content };
      return [{ key: `result ${callId} ${content}`, item }];
    }
    const said = { by: role, words: content };
    if (role === "assistant") {
      const words = content === "" ? [] : [messageOf(role, { type: "output_text", text: content }, said)];
      return [...words, ...(message.toolCalls ?? []).map(callOf)];
    }
    const images = (message.images ?? []).map(({ mimeType, data }) =>
      messageOf(role, { type: "input_image", image_url: `data:${mimeType};base64,${data}` })
    );
    const words = content === "" ? [] : [messageOf(role, { type: "input_text", text: content }, said)];
    return [...images, ...words];
  });
}

function messageOf(
  role: Message["role"],
  content: { readonly type: string; readonly text?: string; readonly image_url?: string },
  said?: Wanted["said"],
): Wanted {
  const key = `${role} ${content.text ?? content.image_url}`;
  return { key, ...(said && { said }), item: { type: "message", role, content: [content] } };
}

function callOf(call: ToolCall): Wanted {
  const { name, arguments: given } = toldBack(call);
  return {
    key: callKey(call.id),
    item: { type: "function_call", call_id: call.id, name, arguments: JSON.stringify(given) },
  };
}

/** The instructions that `messages` begin with. */
export const instructionsOf = ([first]: readonly Message[]): string =>
  first?.role === "system" ? first.content : "";
