/** The tools of MCP servers, written down as they are offered and used. */
import type { ToolSet } from "../tool.ts";
import type { McpServers } from "../tools/mcp.ts";
import type { Recorder } from "./recorder.ts";

/** The same servers, whose tools are `recordedTools()`; each is written down when it is offered first. */
export function recordedMcpServers(
  servers: McpServers,
  recordedTools: (tools: ToolSet) => ToolSet,
  recorder: Recorder,
): McpServers {
  const offered = new Set<string>();
  return {
    tools(list) {
      const tools = servers.tools(list);
      for (const [name, { effect, timeoutMs }] of Object.entries(tools)) {
        const tool = { name, effect, timeoutMs, confirm: false };
        const key = JSON.stringify(tool);
        if (!offered.has(key)) recorder.note({ type: "tool-offered", tool });
        offered.add(key);
      }
      return recordedTools(tools);
    },
    close: () => servers.close(),
  };
}
