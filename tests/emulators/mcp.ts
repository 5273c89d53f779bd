/** An MCP server on 127.0.0.1, made with the protocol's own library: streamable HTTP, a session for each connection. */
import { Server } from "@modelcontextprotocol/sdk/server";
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import type { McpTool } from "../../src/tools/mcp.ts";

/** One tool that it has. */
export interface EmulatedTool extends Partial<Omit<McpTool, "name">> {
  readonly call: (
    args: Readonly<Record<string, unknown>>,
    ctx: { readonly signal: AbortSignal; readonly progress: () => Promise<void> },
  ) => string | CallToolResult | Promise<string | CallToolResult>;
}

/** One message that came, or the end of a session. */
export interface McpRequest {
  /** As JSON-RPC has it, or "GET" or "DELETE". */
  readonly method: string;
  readonly sessionId: string | null;
  readonly authorization: string | null;
}

export interface McpEmulator extends AsyncDisposable {
  /** The address to give a client. */
  readonly url: string;
  readonly requests: readonly McpRequest[];
  /** Has other tools from now on, and tells every session. */
  change(tools: Readonly<Record<string, EmulatedTool>>): Promise<void>;
  /** Knows no session any more, and tells nobody. */
  forget(): void;
}

export interface McpEmulatorOptions {
  readonly tools: Readonly<Record<string, EmulatedTool>>;
  readonly port?: number;
  /** How many tools it lists in a page (default: all). */
  readonly pageSize?: number;
  /** What a message is answered with in place of what it should. */
  readonly fault?: (
    message: { readonly method: string; readonly id?: number },
    n: number,
  ) => Response | undefined;
}

/** Starts one. */
export function startMcpEmulator(
  { tools, port = 0, pageSize = Infinity, fault }: McpEmulatorOptions,
): McpEmulator {
  const sessions = new Map<
    string,
    { readonly server: Server; readonly transport: WebStandardStreamableHTTPServerTransport }
  >();
  const made: Server[] = [];
  const requests: McpRequest[] = [];
  let offered = Object.entries(tools);

  const begin = async () => {
    const server = new Server({ name: "emulator", version: "1" }, {
      capabilities: { tools: { listChanged: true } },
    });
    server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
      const from = Number(params?.cursor ?? 0);
      const page = offered.slice(from, from + pageSize);
      const next = from + page.length < offered.length ? { nextCursor: String(from + page.length) } : {};
      const told = page.map(([name, { call: _, inputSchema = {}, ...tool }]) => (
        { name, ...tool, inputSchema: { ...inputSchema, type: "object" as const } }
      ));
      return { tools: told, ...next } as { tools: never[] }; // what a server may say is wider than what it should
    });
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal, sendNotification }) => {
      const tool = offered.find(([name]) => name === params.name)?.[1];
      if (!tool) throw new McpError(-32602, `there is no tool ${params.name}`);
      const { progressToken } = params._meta ?? {};
      const progress = async () => {
        if (progressToken === undefined) return;
        await sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1 } });
      };
      const result = await tool.call(params.arguments ?? {}, { signal, progress });
      return typeof result === "string" ? { content: [{ type: "text", text: result }] } : result;
    });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    made.push(server);
    await server.connect(transport);
    return transport;
  };

  const serve = async (request: Request): Promise<Response> => {
    const sessionId = request.headers.get("mcp-session-id");
    const body = request.method === "POST" ? await request.json() : { method: request.method };
    const method: string = body.method;
    const n = requests.filter((one) => one.method === method).length;
    requests.push({ method, sessionId, authorization: request.headers.get("authorization") });
    const answer = fault?.(body, n);
    if (answer) return answer;
    if (method === "initialize") return (await begin()).handleRequest(request, { parsedBody: body });
    const session = sessions.get(sessionId ?? "");
    if (!session) return new Response("There is no such session.", { status: 404 });
    return await session.transport.handleRequest(request, { parsedBody: body });
  };
  const http = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, serve);

  return {
    url: `http://127.0.0.1:${http.addr.port}/mcp`,
    requests,
    async change(tools) {
      offered = Object.entries(tools);
      for (const { server } of sessions.values()) await server.sendToolListChanged();
    },
    forget: () => sessions.clear(),
    async [Symbol.asyncDispose]() {
      for (const server of made) await server.close();
      await http.shutdown();
    },
  };
}
