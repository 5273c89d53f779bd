/** An MCP server as a process, made with the protocol's own library: it adds, and ends when it is told to. */
import { Server } from "@modelcontextprotocol/sdk/server";
// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const server = new Server({ name: "adder", version: "1" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: ["add", "environment", "exit"].map((name) => ({ name, inputSchema: { type: "object" as const } })),
}));
server.setRequestHandler(CallToolRequestSchema, ({ params: { name, arguments: args = {} } }) => {
  if (name === "exit") Deno.exit(1);
  const text = name === "add"
    ? String(Number(args.a) + Number(args.b))
    : JSON.stringify([Deno.env.get("GIVEN"), Deno.env.get("REPARTEE_TEST_SECRET")]);
  return { content: [{ type: "text", text }] };
});
await server.connect(new StdioServerTransport());
