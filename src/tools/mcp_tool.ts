/** An MCP server's tools as an agent's own, and what their results say. */
import type { Tool, ToolContext, ToolEffect, ToolSet } from "../tool.ts";
import type { McpOptions, McpTool } from "./mcp.ts";

/** What came of a call (https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result). */
export interface McpResult {
  readonly content: readonly McpContent[];
  readonly structuredContent?: Readonly<Record<string, unknown>> | undefined;
  readonly isError?: boolean | undefined;
}

type McpContent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio" }
  | { readonly type: "resource_link"; readonly name: string; readonly uri: string }
  | { readonly type: "resource"; readonly resource: { readonly uri: string; readonly text?: string } };

/** Calls the tool that the server calls `name`. */
export type CallMcpTool = (name: string, args: unknown, ctx: ToolContext) => Promise<McpResult>;

/** Of `told`, the tools that are offered, by the names that the model calls them by; of equal names the first. */
export function mcpToolSet(
  told: readonly McpTool[],
  { allow, prefix = "", timeoutMs = 15_000, effect = effectOf }: McpOptions,
  call: CallMcpTool,
): ToolSet {
  const tools = new Map<string, Tool>();
  for (const one of told) {
    const name = `${prefix}${one.name}`.replaceAll(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64);
    if (tools.has(name) || (allow && !allow.includes(one.name))) continue;
    const { $schema: _, ...parameters } = one.inputSchema;
    tools.set(name, {
      type: "tool",
      description: one.description || one.title || one.name,
      effect: effect(one),
      parameters: { properties: {}, ...parameters }, // models refuse an object that tells of none
      timeoutMs,
      validate: (given) => Promise.resolve(isObject(given) ? { value: given } : notAnObject),
      async execute(args, ctx) {
        const result = await call(one.name, args, ctx);
        const words = wordsOf(result);
        if (result.isError) throw new Error(words || "its server does not say why");
        return words || undefined;
      },
    });
  }
  return Object.fromEntries(tools);
}

/** What a server's hints come to; one that gives none may do anything. */
export function effectOf({ annotations }: McpTool): ToolEffect {
  if (annotations?.readOnlyHint) return "none";
  return annotations?.idempotentHint && !annotations.destructiveHint ? "idempotent" : "once";
}

/** Whatever else its schema says is checked by its server: JSON Schema has more dialects than validators know. */
const notAnObject = { issues: [{ message: "expected an object" }] };
const isObject = (given: unknown) => typeof given === "object" && given !== null && !Array.isArray(given);

/** What a result says in words: its text, or else its data as JSON; what cannot be told is mentioned. */
function wordsOf({ content, structuredContent }: McpResult): string {
  const data = structuredContent && !content.some(({ type }) => type === "text")
    ? [JSON.stringify(structuredContent)]
    : [];
  return [...data, ...content.map(wordsOfContent)].join("\n").trim();
}

function wordsOfContent(content: McpContent): string {
  switch (content.type) {
    case "text":
      return content.text;
    case "resource_link":
      return `${content.name}: ${content.uri}`;
    case "resource":
      return content.resource.text ?? `(${content.resource.uri} is no text, and cannot be shown.)`;
    case "image":
    case "audio":
      return `(There is also ${
        content.type === "image" ? "an image" : "a recording"
      }, which cannot be shown.)`;
  }
}
