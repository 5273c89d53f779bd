/** Conversations as the language models of the AI SDK take them: https://ai-sdk.dev/providers/community-providers/custom-providers */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
} from "@ai-sdk/provider";
import type { ImagePart, LanguageRequest, Message } from "./llm.ts";
import { imagesFromUsersAlone, toldBack } from "./wire.ts";

/** The options that concern tools; none where there are no tools. */
export function toolOptions(
  { tools = [], toolChoice = "auto" }: LanguageRequest,
): Pick<LanguageModelV4CallOptions, "tools" | "toolChoice"> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: "function",
      name,
      description,
      inputSchema: { ...parameters },
    })),
    toolChoice: typeof toolChoice === "string"
      ? { type: toolChoice }
      : { type: "tool", toolName: toolChoice.name },
  };
}

/**
 * `messages` so that all providers take them. Anthropic and Google want instructions at the beginning alone, and after them
 * turns of user and model that alternate, the first and the last of them the user's, none of them empty; all results of a
 * step are in one turn. Where the agent spoke first or last, a few words stand in for the user's.
 */
export function promptOf(messages: readonly Message[]): LanguageModelV4Prompt {
  const begin = messages.findIndex(({ role }) => role !== "system");
  const instructions = begin === -1 ? messages : messages.slice(0, begin);
  const names = new Map<string, string>();
  const turns: Turn[] = [];
  for (const message of begin === -1 ? [] : imagesFromUsersAlone(messages.slice(begin))) {
    const turn = turnOf(message, names);
    const last = turns.at(-1);
    if (turn.content.length === 0) continue;
    if (last?.role !== turn.role) turns.push(turn);
    // The roles are the same, and so are the contents' types.
    else (last.content as Turn["content"][number][]).push(...turn.content);
  }
  if (turns[0]?.role !== "user") turns.unshift(said("(The conversation begins.)"));
  if (turns.at(-1)?.role === "assistant") turns.push(said("(Go on.)"));
  return [...instructions.map(({ content }) => ({ role: "system" as const, content })), ...turns];
}

type Turn = Exclude<LanguageModelV4Message, { role: "system" }>;

/** `names`: of the tools, by the ids of their calls. */
function turnOf(message: Message, names: Map<string, string>): Turn {
  switch (message.role) {
    case "system":
      return said(`<instructions>\n${message.content}\n</instructions>`);
    case "user":
      return said(message.content, message.images);
    case "assistant": {
      const calls = (message.toolCalls ?? []).map((call) => {
        const { name, arguments: input } = toldBack(call);
        names.set(call.id, name);
        return { type: "tool-call" as const, toolCallId: call.id, toolName: name, input };
      });
      return { role: "assistant", content: [...words(message.content), ...calls] };
    }
    case "tool": {
      const { callId, content } = message;
      const output = { type: "text" as const, value: content };
      const toolName = names.get(callId) ?? "unknown";
      return { role: "tool", content: [{ type: "tool-result", toolCallId: callId, toolName, output }] };
    }
  }
}

const said = (text: string, images: readonly ImagePart[] = []): Turn => ({
  role: "user",
  content: [
    ...words(text),
    ...images.map(({ mimeType, data }) => ({
      type: "file" as const,
      mediaType: mimeType,
      data: { type: "data" as const, data },
    })),
  ],
});

/** APIs refuse a text of nothing. */
const words = (text: string) => text.trim() === "" ? [] : [{ type: "text" as const, text }];
