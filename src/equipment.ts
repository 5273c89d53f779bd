/** What agents work with: the first, and those that the conversation is handed over to; all that they use is counted. */
import type { Agent } from "./agent.ts";
import type { Equipped } from "./charge.ts";
import { ConfigError, type StageError } from "./errors.ts";
import type { Usage } from "./events.ts";
import { metered } from "./telemetry/usage.ts";

export interface EquipmentOptions extends Equipped {
  /** What another agent works with (default: all that the first does). */
  readonly equip?: ((agent: Agent) => Equipped) | undefined;
  readonly onUsage: (usage: Usage) => void;
  /** Told of what failed and was made good. */
  readonly onError: (error: StageError) => void;
}

export interface Equipment {
  readonly first: Equipped;
  /** What `agent` works with; throws when that is not to be had. */
  readonly equip: (agent: Agent) => Equipped;
}

/** What other agents work with: all that the first does. */
export const equippedAsFirst = (first: Equipped) => (agent: Agent): Equipped => ({
  agent,
  agentName: agent === first.agent ? first.agentName : agent.name ?? "agent",
  turnTaking: first.turnTaking,
  providers: first.providers,
});

/** The equipment of one session. */
export function createEquipment({ equip, onUsage, onError, ...first }: EquipmentOptions): Equipment {
  const counted = ({ agent, agentName, turnTaking, providers }: Equipped): Equipped => ({
    agent,
    agentName,
    turnTaking,
    providers: metered(providers, onUsage, onError),
  });
  const equipNext = equip ?? equippedAsFirst(first);
  /** The agent that has begun says whom the call hears. */
  const hearsAll = first.agent.participants === "all";
  return {
    first: counted(first),
    equip(agent) {
      if (hearsAll && agent.model !== undefined) {
        throw new ConfigError(
          `the agent ${agent.name ?? "to go on"} has a \`model\`, which hears one voice, ` +
            'and the call hears everybody (participants: "all"); expected stt, llm and tts',
        );
      }
      return counted(equipNext(agent));
    },
  };
}
