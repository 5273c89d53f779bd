/** The agents of a session that is played again: as they were, but for their own code, which does what it did then. */
import { type Agent, type AgentContext, defineAgent } from "../agent.ts";
import type { Equipped } from "../charge.ts";
import type { Clock } from "../clock.ts";
import { turnTakingFor } from "../dispatch/turn_taking.ts";
import type { Task, TaskOver } from "../task.ts";
import type { EquippedThen, Recording } from "./recording.ts";
import { type ReplayedCode, replayedCode } from "./replayed_code.ts";
import { replayedProviders } from "./replayed_providers.ts";
import { runPicker, runsOf } from "./replayed_streams.ts";
import { replayedTools } from "./replayed_tools.ts";
import type { TurnTakingConfig } from "./start.ts";

export interface ReplayedAgents {
  readonly first: Equipped;
  /** What one of them works with; throws for one that could not be had then. */
  readonly equip: (agent: Agent) => Equipped;
  readonly code: ReplayedCode;
}

/** Those of `recording`; `begin` is run with the entry of the first. */
export function replayedAgents(
  recording: Recording,
  clock: Clock,
  begin: (context: AgentContext) => void,
): ReplayedAgents {
  const { header, entries } = recording;
  const config = header.turnTaking as TurnTakingConfig; // as the configuration had it
  const records = new Map<number, EquippedThen>([[0, header]]);
  const missing = new Map<number, string>();
  const begun = new Map<number, number>();
  for (const entry of entries) {
    if (entry.type === "agent-equipped") records.set(entry.number, entry);
    if (entry.type === "agent-missing") missing.set(entry.number, entry.message);
    if (entry.type === "task-begun") begun.set(entry.task, entry.agent);
  }
  const numbers = new Map<Agent, number>();
  const agents = new Map<number, Agent>();
  const pickEntry = runPicker(runsOf(recording, "entry"));
  let isBegun = false;

  const make = (number: number, end?: () => TaskOver): Agent => {
    const { agent: settings = {}, tools } = records.get(number) ?? {};
    const agent = defineAgent({
      ...settings,
      instructions: "(not recorded)",
      tools: toolsFrom(tools, end),
      async entry(context) {
        if (!isBegun) begin(context);
        isBegun = true;
        const run = pickEntry(({ input }) => input === String(number));
        for await (const _ of code.steps(run, context));
      },
    });
    numbers.set(agent, number);
    return agent;
  };
  const agentOf = (number: number): Agent => {
    const agent = agents.get(number) ?? make(number);
    agents.set(number, agent);
    return agent;
  };
  const taskOf = (number: number): Task<unknown> => ({
    type: "task",
    doneBy: (_, settle) => make(begun.get(number) ?? -1, () => settle({ result: undefined })),
  });
  const code = replayedCode(recording, clock, taskOf);
  const toolsFrom = replayedTools(recording, { code, agentOf });
  const providersFrom = replayedProviders(recording, clock);
  const equippedAs = (agent: Agent, then: EquippedThen): Equipped => {
    const models = Object.entries(then.models).map(([kind, number]) => [kind, String(number)]);
    return {
      // The names of its models tell alone which agents have the same: what they bring is in the recording.
      agent: { ...agent, ...Object.fromEntries(models) },
      agentName: then.agentName,
      providers: providersFrom(then),
      turnTaking: turnTakingFor(agent, config),
    };
  };
  return {
    first: equippedAs(agentOf(0), header),
    equip(agent) {
      const number = numbers.get(agent) ?? -1;
      const then = records.get(number);
      if (!then || missing.has(number)) throw new Error(missing.get(number) ?? "it is not in the recording");
      return equippedAs(agent, then);
    },
    code,
  };
}
