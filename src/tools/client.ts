/** Tools that the participant's own client carries out: a page or an app that the user has before them. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Tool, tool, type ToolDefinition } from "../tool.ts";

/** A front-end tool as its author writes it. */
export interface ClientToolDefinition<Schema extends StandardSchemaV1 = StandardSchemaV1>
  extends Omit<ToolDefinition<Schema>, "execute"> {
  /** The RPC method that the client has registered (default: the tool's own name). */
  readonly method?: string;
}

/**
 * Defines a tool that has no `execute`: the linked participant's client is sent the arguments as JSON, 15 KiB at the most, by
 * LiveKit's RPC or over the page's socket, and the model is told its answer. Throws a TypeError that says what is wrong.
 *
 * ```ts
 * const showMessage = clientTool({
 *   description: "Shows the user a text on their screen",
 *   parameters: z.object({ text: z.string().describe("What to show") }),
 *   effect: "idempotent",
 * });
 * ```
 */
export function clientTool<Schema extends StandardSchemaV1>(
  { method, ...definition }: ClientToolDefinition<Schema>,
): Tool {
  return tool<Schema>({
    ...definition,
    async execute(args, { session, name, signal }) {
      const { timeoutMs } = definition;
      const options = { signal, ...(timeoutMs !== undefined && { timeoutMs }) };
      return await session.performRpc(method ?? name, JSON.stringify(args), options) || undefined;
    },
  });
}
