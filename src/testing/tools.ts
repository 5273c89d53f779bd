/** Tools in a test: those that are replaced, and those that do what they do. */
import type { Agent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import type { Tool, ToolContext, ToolSet } from "../tool.ts";
import { mcpToolSet } from "../tools/mcp_tool.ts";
import type { RealWork } from "./real_time.ts";

/** What the replacement of a tool works with. */
export interface MockContext extends ToolContext {
  /** Takes time, in milliseconds of the call; rejects when the result is not wanted any more. */
  sleep(ms: number): Promise<void>;
}

/** Does what a tool would do: returns its result, or throws. Its arguments have been validated. */
export type ToolMock = (args: Readonly<Record<string, unknown>>, ctx: MockContext) => unknown;

/** Replacements, by the names of the tools. */
export type ToolMocks = Readonly<Record<string, ToolMock>>;

/** `tools`, some of them replaced; their schemas, effects and questions to the user stay. The others take real time. */
export function mocked(tools: ToolSet, mocks: ToolMocks, clock: Clock, { track }: RealWork): ToolSet {
  return Object.fromEntries(
    Object.entries(tools).map(([name, tool]): [string, Tool] => {
      const mock = Object.hasOwn(mocks, name) ? mocks[name] : undefined;
      if (!mock) return [name, { ...tool, execute: (args, ctx) => track(tool.execute(args, ctx)) }];
      return [name, {
        ...tool,
        execute: async (args, ctx) => {
          const sleep = (ms: number) => clock.sleep(ms, { signal: ctx.signal });
          return await mock(args as Readonly<Record<string, unknown>>, { ...ctx, sleep });
        },
      }];
    }),
  );
}

/**
 * The tools of an agent in a test, its own and its MCP servers': those are not connected, and a replacement of a tool that the
 * agent itself has not stands for one of theirs, which takes any arguments.
 */
export function toolsInTest({ tools = {}, mcpServers = [] }: Agent, mocks: ToolMocks): ToolSet {
  const names = mcpServers.length === 0 ? [] : Object.keys(mocks);
  const offered = names.map((name) => ({ name, inputSchema: { type: "object" } }));
  const unanswered = () => Promise.reject(new Error("no MCP server is connected in a test"));
  return { ...mcpToolSet(offered, {}, unanswered), ...tools };
}
