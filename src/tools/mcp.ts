/** MCP servers (https://modelcontextprotocol.io) as an agent's author names them, and what they offer to one session. */
import type { Clock } from "../clock.ts";
import { ConfigError, type StageError } from "../errors.ts";
import type { ToolEffect, ToolSet } from "../tool.ts";
import { type McpConnection, type OpenMcpServer, openMcpServer } from "./mcp_server.ts";

/** A tool as its server tells of it. */
export interface McpTool {
  /** The server's own name for it. */
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  /** What the server says that the tool does to the world; hints, to be believed only of a server that is trusted. */
  readonly annotations?: {
    readonly readOnlyHint?: boolean | undefined;
    readonly destructiveHint?: boolean | undefined;
    readonly idempotentHint?: boolean | undefined;
  } | undefined;
}

/** Which of a server's tools are offered, and how. */
export interface McpOptions {
  /** The tools that are offered, by the server's own names (default: all). */
  readonly allow?: readonly string[];
  /** Stands before the names that the model calls them by: with `"crm_"`, `find` is `crm_find` (default: nothing). */
  readonly prefix?: string;
  /** Milliseconds that a call may take, from the last progress that the server tells of (default 15,000). */
  readonly timeoutMs?: number;
  /**
   * What a tool does to the world, where the server's hints are not to be believed (default: `"none"` for `readOnlyHint`,
   * `"idempotent"` for `idempotentHint` without `destructiveHint`, else `"once"`).
   */
  readonly effect?: (tool: McpTool) => ToolEffect;
}

/** A server that is reached by streamable HTTP. */
export interface McpHttpServer extends McpOptions {
  readonly url: string;
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server that is a process of each session's own, spoken to by its standard input and output; needs `--allow-run`. */
export interface McpProcess extends McpOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Its environment, besides PATH, HOME and the like. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A server whose tools an agent has. */
export type McpServer = McpHttpServer | McpProcess;

/** Connects to `server`; see `connectMcp()`. */
export type ConnectMcp = (
  server: McpServer,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** Told when the server has other tools than it had. */
    readonly onChange: () => void;
  },
) => Promise<McpConnection>;

/** The MCP servers of one session: connected when they are first asked for, and until the session's end. */
export interface McpServers {
  /**
   * What `servers` offer at this moment: nothing while one is not connected. Of tools with the same name the first is
   * offered.
   */
  tools(servers: readonly McpServer[]): ToolSet;
  /** Ends every connection; settles within 1 s. */
  close(): Promise<void>;
}

export interface McpServersOptions {
  readonly clock: Clock;
  /** Told when a server cannot be reached, once until it can. */
  readonly onError: (error: StageError) => void;
  /** In place of `connectMcp()`. */
  readonly connect?: ConnectMcp | undefined;
}

/** Makes the MCP servers of a session, as `createMcpServers()` does. */
export type OpenMcpServers = (options: McpServersOptions) => McpServers;

/** No server yet. Agents that share a server, as one object, share its connection. */
export function createMcpServers({ clock, onError, connect = connectLazily }: McpServersOptions): McpServers {
  const open = new Map<McpServer, OpenMcpServer>();
  let closed = false;
  return {
    tools(servers) {
      const offered = new Map<string, ToolSet[string]>();
      for (const server of servers) {
        if (!closed && !open.has(server)) {
          open.set(server, openMcpServer(server, { connect, clock, onError }));
        }
        for (const [name, tool] of Object.entries(open.get(server)?.tools ?? {})) {
          if (!offered.has(name)) offered.set(name, tool);
        }
      }
      return Object.fromEntries(offered);
    },
    async close() {
      closed = true;
      await Promise.all([...open.values()].map((server) => server.close()));
    },
  };
}

/** The library takes 35 MB, which agents without MCP servers do not pay for. */
const connectLazily: ConnectMcp = async (...given) => (await import("./mcp_client.ts")).connectMcp(...given);

/** What is wrong with an agent's `mcpServers`, if anything is. */
export function problemOfMcpServers(servers: readonly McpServer[]): string | undefined {
  for (const [at, server] of servers.entries()) {
    const where = `mcpServers[${at}]`;
    const { url, command }: Partial<McpHttpServer & McpProcess> = server;
    if ((url === undefined) === (command === undefined)) {
      return `${where} has neither or both of url and command`;
    }
    if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      return `${where}.url is ${JSON.stringify(url)}; expected an address, https://… or http://…`;
    }
    const { timeoutMs = 1, prefix = "" } = server;
    if (!(timeoutMs > 0)) return `${where}.timeoutMs is ${timeoutMs}; expected milliseconds, more than 0`;
    if (!/^[a-zA-Z0-9_-]{0,32}$/.test(prefix)) {
      return `${where}.prefix is ${JSON.stringify(prefix)}; expected up to 32 letters, digits, "_" and "-"`;
    }
  }
  return undefined;
}

/**
 * Gets ready for what `agents` need of MCP, before there is a call that would wait for it. Throws a ConfigError when one needs
 * processes that this one may not start.
 */
export async function prepareMcp(
  agents: Readonly<Record<string, { readonly mcpServers?: readonly McpServer[] }>>,
): Promise<void> {
  const servers = Object.entries(agents).flatMap(([agent, { mcpServers = [] }]) =>
    mcpServers.map((server) => ({ agent, server }))
  );
  for (const { agent, server } of servers) {
    if ("url" in server) continue;
    const { command } = server;
    const { state } = await Deno.permissions.query({ name: "run", command });
    if (state === "granted") continue;
    throw new ConfigError(
      `The agent "${agent}" has an MCP server that is a process, ${
        JSON.stringify(command)
      }, and this server may ` +
        "start none; start it with `deno task start:mcp`",
    );
  }
  if (servers.length > 0) await import("./mcp_client.ts");
}
