/** What Anthropic refuses about the messages and tools of a request, in its words: https://docs.anthropic.com/en/api/messages */

/** A block of a message. */
export type AnthropicBlock =
  | { readonly type: "text"; readonly text: string }
  | {
    readonly type: "image";
    readonly source: { readonly type: "base64"; readonly media_type: string; readonly data: string };
  }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: "tool_result"; readonly tool_use_id: string; readonly content?: unknown };

export interface AnthropicMessage {
  readonly role: string;
  readonly content: string | readonly AnthropicBlock[];
}

export interface AnthropicBody {
  readonly model: string;
  readonly max_tokens?: number;
  readonly system?: unknown;
  readonly messages: readonly AnthropicMessage[];
  readonly tools?: readonly {
    readonly name: string;
    readonly description?: string;
    readonly input_schema?: Readonly<Record<string, unknown>>;
  }[];
  readonly tool_choice?: { readonly type: string; readonly name?: string };
  readonly stream?: boolean;
  readonly [parameter: string]: unknown;
}

/** The first thing that is wrong with `body`, if anything is. */
export function refusalOf(body: AnthropicBody): string | undefined {
  const { max_tokens, messages, stream } = body;
  if (!stream) return "this server only streams";
  if (max_tokens === undefined) return "max_tokens: Field required";
  if (messages.length === 0) return "messages: at least one message is required";
  return refusalOfMessages(messages) ?? refusalOfTools(body);
}

function refusalOfMessages(messages: readonly AnthropicMessage[]): string | undefined {
  if (messages[0]?.role !== "user") return 'messages: first message must use the "user" role';
  if (messages.at(-1)?.role !== "user") {
    return "This model does not support assistant message prefill. The conversation must end with a user message.";
  }
  /** The calls of the message before. */
  let asked: readonly string[] = [];
  const known = new Set<string>();
  for (const [at, { role, content }] of messages.entries()) {
    if (role !== "user" && role !== "assistant") {
      return `messages.${at}.role: Input should be 'user' or 'assistant'`;
    }
    const blocks = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
    if (blocks.length === 0) return `messages.${at}: all messages must have non-empty content`;
    const results = blocks.flatMap((block) => block.type === "tool_result" ? [block.tool_use_id] : []);
    const missing = asked.filter((id) => !results.includes(id));
    if (missing.length > 0) {
      return `messages.${
        at - 1
      }: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
        `${
          missing.join(", ")
        }. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`;
    }
    const behind = blocks.findIndex(({ type }) => type !== "tool_result");
    if (behind !== -1 && blocks.slice(behind).some(({ type }) => type === "tool_result")) {
      return `messages.${at}: \`tool_result\` blocks must come before other blocks`;
    }
    for (const [n, block] of blocks.entries()) {
      const problem = refusalOfBlock(block, role, asked, known);
      if (problem) return problem.startsWith("messages:") ? problem : `messages.${at}.content.${n}${problem}`;
    }
    asked = blocks.flatMap((block) => block.type === "tool_use" ? [block.id] : []);
  }
  return undefined;
}

const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"];

function refusalOfBlock(
  block: AnthropicBlock,
  role: string,
  asked: readonly string[],
  known: Set<string>,
): string | undefined {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? "messages: text content blocks must be non-empty" : undefined;
    case "image":
      if (role !== "user") return ": `image` blocks are not permitted within assistant turns";
      if (!imageTypes.includes(block.source.media_type)) {
        return `.image.source.base64.media_type: Input should be ${imageTypes.join(", ")}`;
      }
      return undefined;
    case "tool_use": {
      if (role !== "assistant") return ": `tool_use` blocks can only be in `assistant` messages";
      if (!/^[a-zA-Z0-9_-]+$/.test(block.id)) {
        return ".tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'";
      }
      if (known.has(block.id)) return "messages: `tool_use` ids must be unique";
      known.add(block.id);
      const isObject = typeof block.input === "object" && block.input !== null && !Array.isArray(block.input);
      return isObject ? undefined : ".tool_use.input: Input should be a valid dictionary";
    }
    case "tool_result":
      if (asked.includes(block.tool_use_id)) return undefined;
      return `: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` ` +
        "block must have a corresponding `tool_use` block in the previous message.";
  }
}

function refusalOfTools({ tools = [], tool_choice: choice }: AnthropicBody): string | undefined {
  for (const [n, { name, input_schema }] of tools.entries()) {
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name)) {
      return `tools.${n}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`;
    }
    if (input_schema?.type !== "object") {
      return `tools.${n}.custom.input_schema.type: Input should be 'object'`;
    }
  }
  if (choice?.type !== "tool" || tools.some(({ name }) => name === choice.name)) return undefined;
  return `Tool '${choice.name}' not found in provided tools`;
}
