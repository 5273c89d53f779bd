/** Messages and tools on the wire of chat completions: https://platform.openai.com/docs/guides/function-calling?api-mode=chat */
import type { OpenAI } from "../openai.ts";
import { type ImagePart, type LanguageRequest, type Message, newCallId, type ToolCall } from "./llm.ts";
import { imagesFromUsersAlone, toldBack, writtenArguments } from "./wire.ts";

type Delta = OpenAI.Chat.Completions.ChatCompletionChunk.Choice.Delta.ToolCall;

/** The parameters that concern tools; none where there are no tools, since the API then refuses both. */
export function toolParameters(
  { tools = [], toolChoice = "auto" }: LanguageRequest,
): Pick<OpenAI.ChatCompletionCreateParams, "tools" | "tool_choice"> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: "function",
      function: { name, description, parameters: { ...parameters } },
    })),
    ...(toolChoice !== "auto" && {
      tool_choice: typeof toolChoice === "string"
        ? toolChoice
        : { type: "function", function: { name: toolChoice.name } },
    }),
  };
}

/**
 * `messages` in the API's own shapes. It takes images from users alone: those that tools have brought follow behind the
 * results of their step (https://platform.openai.com/docs/guides/images-vision?api-mode=chat).
 */
export const wireMessages = (messages: readonly Message[]): OpenAI.ChatCompletionMessageParam[] =>
  imagesFromUsersAlone(messages).map(wireMessage);

function wireMessage(message: Message): OpenAI.ChatCompletionMessageParam {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content };
    case "user":
      return { role: "user", content: shownWith(message.content, message.images) };
    case "tool":
      return { role: "tool", tool_call_id: message.callId, content: message.content };
    case "assistant": {
      const { role, content, toolCalls } = message;
      if (!toolCalls?.length) return { role, content };
      return { role, content: content || null, tool_calls: toolCalls.map(wireCall) };
    }
  }
}

function shownWith(
  text: string,
  images: readonly ImagePart[] = [],
): OpenAI.ChatCompletionUserMessageParam["content"] {
  if (images.length === 0) return text;
  return [
    { type: "text", text },
    ...images.map(({ mimeType, data }) => ({
      type: "image_url" as const,
      image_url: { url: `data:${mimeType};base64,${data}` },
    })),
  ];
}

function wireCall(call: ToolCall): OpenAI.ChatCompletionMessageFunctionToolCall {
  const { name, arguments: given } = toldBack(call);
  return { id: call.id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}

export interface CallAssembler {
  /** Takes in one chunk's pieces of calls. */
  add(deltas: readonly Delta[]): void;
  /** The calls that came, in order, once the answer is complete. */
  calls(): ToolCall[];
}

/**
 * Puts calls together that come in pieces. OpenAI sends the id and name first, and the arguments in pieces under the same
 * index; servers that only resemble it leave out ids or indexes, send a call whole, its id with every piece, arguments that
 * are an object or empty, or the next call under the same index.
 */
export function assembleCalls(): CallAssembler {
  const parts: { index: number | undefined; id: string; name: string; text: string }[] = [];
  return {
    add(deltas) {
      for (const { index, id, function: called } of deltas as readonly Loose[]) {
        const last = parts.findLast((part) => index === undefined || part.index === index);
        // A piece belongs to a call that was begun, unless it brings another id, or names a function anew without one.
        const another = last && (id ? last.id !== "" && last.id !== id : namesAnother(called?.name, last));
        let part = last;
        if (!part || another) parts.push(part = { index, id: "", name: "", text: "" });
        part.id ||= id ?? "";
        part.name ||= called?.name ?? "";
        const given = called?.arguments ?? "";
        part.text += typeof given === "string" ? given : JSON.stringify(given);
      }
    },
    calls() {
      const taken = new Set<string>();
      return parts.filter(({ name }) => name !== "").map(({ id: given, name, text }) => {
        const id = given === "" || taken.has(given) ? newCallId() : given;
        taken.add(id);
        return { id, name, ...writtenArguments(text) };
      });
    },
  };
}

function namesAnother(name: string | null | undefined, last: { name: string; text: string }): boolean {
  if (!name || last.name === "") return false;
  return name !== last.name || (last.text !== "" && writtenArguments(last.text).malformed === undefined);
}

/** What comes, rather than what should. */
interface Loose {
  readonly index?: number;
  readonly id?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: unknown } | null;
}
