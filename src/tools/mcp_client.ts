/** Connections to MCP servers, by the protocol's own library. */
import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { FetchLike, Transport } from "@modelcontextprotocol/sdk/shared/transport";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolResultSchema,
  ListToolsResultSchema,
  McpError,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { abortable } from "../abort.ts";
import type { ConnectMcp, McpHttpServer, McpProcess, McpTool } from "./mcp.ts";

/** How long a server may take to answer to anything but a call, and to be left; milliseconds. */
const patienceMs = 10_000;
const farewellMs = 1_000;
/** Calls are timed by who makes them. */
const untimedMs = 2 ** 31 - 1;
/** How long the library waits before it opens the server's stream anew, milliseconds. */
const reopenMs = 1_000;
/** A server lists its tools in no more pages than this. */
const mostPages = 50;

/** Connects to a server and initializes the connection; rejects with what failed, or the signal's reason. */
export const connectMcp: ConnectMcp = async (server, { clock, signal, onChange }) => {
  signal.throwIfAborted();
  const lost = Promise.withResolvers<void>();
  let isLost = false;
  const lose = () => {
    isLost = true;
    lost.resolve();
  };
  const http = "url" in server ? httpTransport(server, lose) : undefined;
  const transport = "command" in server ? processTransport(server) : http as Transport;
  const client = new Client({ name: "repartee", version: "0.1.0" });
  client.onclose = lose;
  client.setNotificationHandler(ToolListChangedNotificationSchema, onChange);
  try {
    await abortable(client.connect(transport, { timeout: patienceMs }), signal);
  } catch (error) {
    await client.close();
    throw error;
  }

  return {
    lost: lost.promise,

    async list() {
      const tools: McpTool[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < mostPages; page++) {
        const params = cursor === undefined ? {} : { cursor };
        const request = { method: "tools/list", params } as const;
        const told = await client.request(request, ListToolsResultSchema, { timeout: patienceMs });
        // Tasks that are asked for later are another way of calling, which is not spoken here.
        tools.push(...told.tools.filter(({ execution }) => execution?.taskSupport !== "required"));
        cursor = told.nextCursor;
        if (cursor === undefined) break;
      }
      return tools;
    },

    async call(name, args, { signal, onProgress: onprogress }) {
      const request = {
        method: "tools/call",
        params: { name, arguments: args as Record<string, unknown> },
      } as const;
      try {
        return await client.request(request, CallToolResultSchema, {
          signal,
          timeout: untimedMs,
          onprogress,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (http?.sessionId !== undefined && hasForgotten(error)) {
          lose();
          return undefined;
        }
        throw new Error(failureInWords(error, isLost), { cause: error });
      }
    },

    async close() {
      const late = Promise.withResolvers<void>();
      using _ = clock.after(farewellMs, late.resolve);
      if (http && !isLost) {
        const told = http.terminateSession().catch(() => {}); // it is left whether or not it wants to know
        await Promise.race([told, late.promise]);
      }
      await Promise.race([client.close(), late.promise]); // a process that does not end is killed in time
    },
  };
};

/** Streamable HTTP; `onLost` is called when the server is gone, or does not know its own stream any more. */
function httpTransport({ url, headers }: McpHttpServer, onLost: () => void): StreamableHTTPClientTransport {
  let hasStream = false;
  const watched: FetchLike = async (address, init) => {
    try {
      const response = await fetch(address, init);
      if (init?.method === "GET") {
        if (response.status >= 400 && hasStream) onLost();
        hasStream ||= response.ok;
      }
      return response;
    } catch (error) {
      if (!init?.signal?.aborted) onLost();
      throw error;
    }
  };
  return new StreamableHTTPClientTransport(new URL(url), {
    fetch: watched,
    ...(headers && { requestInit: { headers: { ...headers } } }),
    reconnectionOptions: {
      initialReconnectionDelay: reopenMs,
      maxReconnectionDelay: reopenMs,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 1, // what comes after that is a new connection
    },
  });
}

/** A process that is this connection's own; what it writes to its standard error is not read. */
function processTransport({ command, args = [], env = {} }: McpProcess): Transport {
  return new StdioClientTransport({ command, args: [...args], env: { ...env }, stderr: "ignore" });
}

/** Whether a server does not know the session: 404, and of those that were started anew and know of none, 400. */
const hasForgotten = (error: unknown): boolean =>
  error instanceof StreamableHTTPError && (error.code === 404 || error.code === 400);

/** What the model is told of a call that failed. */
function failureInWords(error: unknown, isLost: boolean): string {
  if (isLost) return "the connection to its server was lost; whether this was done is not known";
  if (error instanceof McpError) return error.message;
  if (error instanceof StreamableHTTPError) return `its server refused the call with status ${error.code}`;
  return "its server's answer cannot be understood";
}
