/** The conversation as the model's server has it, kept in step with what the model is to be told: by its differences alone. */
import type { ImagePart, LanguageRequest, Message, ToolCall } from "../llm/llm.ts";
import { imagesFromUsersAlone } from "../llm/wire.ts";

/** Something that is told in writing. */
export type Part =
  | { readonly type: "text"; readonly role: "system" | "user" | "assistant"; readonly text: string }
  | { readonly type: "image"; readonly image: ImagePart }
  | { readonly type: "call"; readonly call: ToolCall }
  | { readonly type: "result"; readonly callId: string; readonly text: string };

/** A change of the conversation. */
export type Edit =
  /** `after`: null for the first place; without it, for the last. */
  | { readonly type: "add"; readonly id: string; readonly after?: string | null; readonly part: Part }
  | { readonly type: "remove"; readonly id: string }
  /** Of what the model spoke only so much was heard, in milliseconds. */
  | { readonly type: "cut"; readonly id: string; readonly heardMs: number };

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
  readonly part: Part;
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
  /** Of what the model spoke only so much was heard, in milliseconds; undefined when it is not in here. */
  cut(id: string, heardMs: number): Edit | undefined;
  /**
   * What makes it say what `messages` do, instructions left out. What the user has said last, and is not transcribed yet,
   * stays in it.
   */
  update(messages: LanguageRequest["messages"]): Edit[];
}

/** An empty conversation, as each connection begins. */
export function createConversation(): Conversation {
  let items: Item[] = [];
  let added = 0;
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
    cut(id, heardMs) {
      const item = items.find((item) => item.type === "spoken" && item.id === id);
      if (item?.type !== "spoken") return undefined;
      item.isCut = true;
      return { type: "cut", id, heardMs };
    },
    update(messages) {
      const edits: Edit[] = [];
      const next: Item[] = [];
      let at = 0;
      const passOver = (until: number, isKept: (item: Item) => boolean) => {
        for (const item of items.slice(at, until)) {
          if (isKept(item)) next.push(item);
          else if (item.id !== undefined) edits.push({ type: "remove", id: item.id });
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
        const id = `item_${++added}`;
        const last = next.at(-1);
        const after = last ? last.id : null;
        edits.push({ type: "add", id, ...(after !== undefined && { after }), part: wanted.part });
        next.push({ type: "told", id, key: wanted.key });
      }
      passOver(items.length, isUnknown);
      items = next;
      return edits;
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
    if (role === "system") return at === 0 ? [] : textOf(role, content);
    if (role === "tool") {
      const { callId } = message;
      return [{ key: `result ${callId} ${content}`, part: { type: "result", callId, text: content } }];
    }
    if (role === "assistant") {
      const calls = (message.toolCalls ?? []).map((call): Wanted => (
        { key: callKey(call.id), part: { type: "call", call } }
      ));
      return [...textOf(role, content), ...calls];
    }
    const images = (message.images ?? []).map((image): Wanted => (
      { key: `image ${image.data}`, part: { type: "image", image } }
    ));
    return [...images, ...textOf(role, content)];
  });
}

function textOf(role: "system" | "user" | "assistant", text: string): Wanted[] {
  if (text === "") return [];
  const said = role === "system" ? {} : { said: { by: role, words: text } };
  return [{ key: `${role} ${text}`, ...said, part: { type: "text", role, text } }];
}

/** The instructions that `messages` begin with. */
export const instructionsOf = ([first]: readonly Message[]): string =>
  first?.role === "system" ? first.content : "";
