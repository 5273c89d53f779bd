/** The tools of agents that are played again: they do nothing, and take and tell what they did then. */
import type { Agent } from "../agent.ts";
import { handoff } from "../handoff.ts";
import { type TaskOver, taskOver } from "../task.ts";
import type { Tool, ToolSet } from "../tool.ts";
import { inputOf } from "./recorded_tools.ts";
import type { EquippedThen, Recording } from "./recording.ts";
import type { ReplayedCode } from "./replayed_code.ts";
import { runPicker, runsOf } from "./replayed_streams.ts";

export interface ReplayedToolsOptions {
  readonly code: ReplayedCode;
  /** The agent of that number. */
  readonly agentOf: (number: number) => Agent;
}

/**
 * What makes an agent's tools of those that it had in `recording`: each use takes as long as it took then. `end`: ends the
 * task that they are the tools of.
 */
export function replayedTools(
  recording: Recording,
  { code, agentOf }: ReplayedToolsOptions,
): (own: EquippedThen["tools"], end?: () => TaskOver) => ToolSet {
  const { entries } = recording;
  const pick = runPicker(runsOf(recording, "tool"));
  const pickChecked = runPicker(entries.filter((entry) => entry.type === "tool-checked"));
  const pickAsked = runPicker(entries.filter((entry) => entry.type === "tool-asked"));
  const offered = entries.flatMap((entry) => entry.type === "tool-offered" ? [entry.tool] : []);

  const replayed = (
    { name, effect, timeoutMs, confirm }: (typeof offered)[number],
    end: (() => TaskOver) | undefined,
  ): Tool => ({
    type: "tool",
    description: "(not recorded)",
    parameters: { type: "object", properties: {} },
    effect,
    timeoutMs,
    ...(confirm && { confirm: () => pickAsked((one) => one.name === name)?.question ?? "" }),
    validate(given) {
      const { issues = [] } = pickChecked(({ input }) => input === inputOf(name, given)) ?? {};
      return Promise.resolve(issues.length > 0 ? { issues } : { value: given });
    },
    async execute(_, { session, signal, progress, heartbeat, disallowInterruptions }) {
      const run = pick(({ input }) => input === name);
      for await (const step of code.steps(run, { session, signal })) {
        switch (step.type) {
          case "progress":
            progress(step.text);
            break;
          case "heartbeat":
            heartbeat();
            break;
          case "keep":
            disallowInterruptions();
            break;
          case "result":
            return step.text;
          case "handoff":
            return handoff(agentOf(step.agent), step);
          case "task-over":
            return end ? taskOver({ result: step.text, end: end().end }) : step.text;
        }
      }
    },
  });
  // The agent's own come before others of their names.
  return (own = [], end) =>
    Object.fromEntries([...offered.toReversed(), ...own].map((tool) => [tool.name, replayed(tool, end)]));
}
