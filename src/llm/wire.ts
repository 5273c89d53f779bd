/** What the wires of language models have in common. */
import type { ImagePart, Message, ToolCall } from "./llm.ts";

/** What a model wrote as a call's arguments; none at all are those of a tool that takes none. */
export function writtenArguments(text: string): Pick<ToolCall, "arguments" | "malformed"> {
  if (text.trim() === "") return { arguments: {} };
  try {
    return { arguments: JSON.parse(text) ?? {} };
  } catch {
    return { arguments: undefined, malformed: text };
  }
}

/**
 * A call as it is told back. Some servers read the arguments, and take only an object: what was none is wrapped in one. A
 * name that the model made up may have characters that APIs refuse.
 */
export function toldBack(
  { name, malformed, ...call }: ToolCall,
): { readonly name: string; readonly arguments: object } {
  const given: unknown = malformed === undefined ? call.arguments : { malformed };
  const object = typeof given === "object" && given !== null && !Array.isArray(given)
    ? given
    : { value: given };
  return { name: name.replaceAll(/[^\w-]/g, "_").slice(0, 64), arguments: object };
}

/** `messages`, with the images that tools have brought behind the results of their step, as if the user showed them. */
export function imagesFromUsersAlone(messages: readonly Message[]): Message[] {
  const told: Message[] = [];
  let brought: ImagePart[] = [];
  const show = () => {
    if (brought.length > 0) told.push({ role: "user", content: "(What the tools show.)", images: brought });
    brought = [];
  };
  for (const message of messages) {
    if (message.role !== "tool") {
      show();
      told.push(message);
      continue;
    }
    const { images = [], ...result } = message;
    brought.push(...images);
    told.push(result);
  }
  show();
  return told;
}
