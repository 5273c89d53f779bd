/** One MCP server during one session: connected, and connected again whenever it goes away. */
import { abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { messageOf, StageError } from "../errors.ts";
import type { ToolSet } from "../tool.ts";
import type { ConnectMcp, McpServer, McpTool } from "./mcp.ts";
import { type CallMcpTool, type McpResult, mcpToolSet } from "./mcp_tool.ts";

/** Waits before the first, the second … attempt to connect again; the last is repeated. Milliseconds. */
const retryMs = [0, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/** What lasted so long has not failed: the next attempt is a first one. Milliseconds. */
const steadyMs = 10_000;

/** A failure is told in so many characters: some servers answer with a whole page. */
const mostCharacters = 300;

/** A connection that is initialized. */
export interface McpConnection {
  /** Settles when it is of no use any more; never rejects. */
  readonly lost: Promise<void>;
  list(): Promise<readonly McpTool[]>;
  /**
   * Calls a tool; undefined when the server has forgotten this connection, and has done nothing. Rejects with what the
   * model may be told, or the signal's reason, of which the server is told as well.
   */
  call(
    name: string,
    args: unknown,
    options: { readonly signal: AbortSignal; readonly onProgress: () => void },
  ): Promise<McpResult | undefined>;
  /** Settles within 1 s; never rejects. */
  close(): Promise<void>;
}

export interface OpenMcpServer {
  /** What it offers at this moment, by the names that the model calls them by. */
  readonly tools: ToolSet;
  /** Ends the connection, and all attempts to have one; settles within 1 s. */
  close(): Promise<void>;
}

/** Begins to connect. */
export function openMcpServer(
  server: McpServer,
  { connect, clock, onError }: {
    readonly connect: ConnectMcp;
    readonly clock: Clock;
    /** Told when it cannot be reached, once until it can. */
    readonly onError: (error: StageError) => void;
  },
): OpenMcpServer {
  const closing = new AbortController();
  const { signal } = closing;
  let tools: ToolSet = {};
  let current: McpConnection | undefined;
  /** Settles as the next attempt to connect does. */
  let next = upcoming();
  let isTold = false;

  const report = (error: unknown) => {
    if (isTold || signal.aborted) return;
    isTold = true;
    const words = `the MCP server ${nameOf(server)} offers no tools: ${
      messageOf(error).slice(0, mostCharacters)
    }`;
    onError(new StageError("agent", words, { retryable: true, cause: error }));
  };

  const call: CallMcpTool = async (name, args, { signal, heartbeat: onProgress }) => {
    if (!current) throw new Error("the server of this tool cannot be reached at the moment");
    const { promise: reconnected } = next;
    const result = await current.call(name, args, { signal, onProgress }) ??
      await (await abortable(reconnected, signal)).call(name, args, { signal, onProgress });
    if (!result) throw new Error("the server of this tool did not accept the call");
    return result;
  };

  /** Lists the tools of `connection` whenever they have changed, one request at a time. */
  const lister = () => {
    let changed = false;
    let listing = false;
    return async (connection: McpConnection) => {
      changed = true;
      if (listing) return;
      listing = true;
      try {
        while (changed) {
          changed = false;
          const told = await connection.list();
          if (connection === current) tools = mcpToolSet(told, server, call);
        }
      } finally {
        listing = false;
      }
    };
  };

  /** One connection, from its beginning to its end. */
  const converse = async () => {
    const list = lister();
    let own: McpConnection | undefined;
    const onChange = () => void (own && list(own).catch(report));
    try {
      own = await connect(server, { clock, signal, onChange });
      current = own;
      await list(own);
      isTold = false;
      const waiting = next;
      next = upcoming();
      waiting.resolve(own);
      await abortable(own.lost, signal);
    } finally {
      current = undefined;
      tools = {};
      await own?.close();
    }
  };

  const run = async () => {
    for (let failures = 0; !signal.aborted; failures++) {
      const beganMs = clock.now();
      try {
        await converse();
      } catch (error) {
        report(error);
        const failed = next;
        next = upcoming();
        failed.reject(error);
      }
      if (clock.now() - beganMs > steadyMs) failures = 0;
      const waitMs = retryMs[Math.min(failures, retryMs.length - 1)] ?? 0;
      if (waitMs > 0) await clock.sleep(waitMs, { signal });
    }
  };
  const running = run().catch((error) => report(error)); // nothing but that it is closed

  return {
    get tools() {
      return tools;
    },
    async close() {
      closing.abort(new DOMException("the session has ended", "AbortError"));
      await running;
    },
  };
}

/** The next connection, for whoever waits for it: who reports its failure is not asked twice. */
function upcoming(): PromiseWithResolvers<McpConnection> {
  const made = Promise.withResolvers<McpConnection>();
  made.promise.catch(() => {}); // reported where it fails, whether or not somebody waits
  return made;
}

/** The server as the log may name it: an address may have a key in its query. */
function nameOf(server: McpServer): string {
  if ("command" in server) return JSON.stringify(server.command);
  const { origin, pathname } = new URL(server.url);
  return `${origin}${pathname}`;
}
