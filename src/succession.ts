/** Who goes on with the conversation: hands it from one agent to another. */
import type { Agent } from "./agent.ts";
import type { Charge, Equipped } from "./charge.ts";
import type { SessionEventBody } from "./events.ts";
import type { Handoff } from "./handoff.ts";

/** Agents that only hand over to each other do so no more often without a word of the user's. */
const mostHandoffs = 5;

export interface SuccessionOptions {
  readonly charge: Charge;
  /** What an agent works with; throws when that is not to be had. */
  readonly equip: (agent: Agent) => Equipped;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** Told that another agent is in charge from now on, which was handed the conversation by `from`. */
  readonly onTaken: (about: { readonly from: string }) => void;
}

export interface Succession {
  /**
   * The agent to hand over to, ready to take the conversation, which the reply of that id wants; throws an Error in words
   * when it cannot be handed over.
   */
  successor(handoff: Handoff, replyId: string): { readonly name: string; readonly take: () => void };
  /** The user has said something. */
  heard(): void;
}

/** Hands over as tools want it. */
export function createSuccession({ charge, equip, signal, emit, onTaken }: SuccessionOptions): Succession {
  let handoffs = 0;
  return {
    heard: () => void (handoffs = 0),
    successor({ agent }, replyId) {
      if (handoffs >= mostHandoffs) {
        throw new Error("the conversation was handed over too often; answer the user without");
      }
      const next = equip(agent);
      const take = () => {
        if (signal.aborted) return;
        handoffs++;
        const from = charge.current.agentName;
        charge.take(next);
        emit({ type: "handoff", from, to: next.agentName, replyId });
        onTaken({ from });
      };
      return { name: next.agentName, take };
    },
  };
}
