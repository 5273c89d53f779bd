/** Handing a conversation over: what a tool returns so that another agent goes on with it. */
import { type Agent, isAgent } from "./agent.ts";

/** Another agent goes on; made by `handoff()`. */
export interface Handoff {
  readonly type: "handoff";
  readonly agent: Agent;
  /** What the models are told of it from then on, as the tool's result. */
  readonly result?: string;
}

/**
 * For a tool to return: `agent` goes on with the conversation. To return the agent itself does as well; `result` is for
 * words that its model needs ("transferred to sales: wants the price of 20 seats").
 */
export function handoff(agent: Agent, { result }: { readonly result?: string } = {}): Handoff {
  if (!isAgent(agent)) {
    throw new TypeError("handoff(): that is no agent; expected what defineAgent() returns");
  }
  return Object.freeze({ type: "handoff", agent, ...(result !== undefined && { result }) });
}

/** The handoff that a tool's `value` is, if it is one. */
export function handoffIn(value: unknown): Handoff | undefined {
  if (isAgent(value)) return handoff(value);
  const { type, agent } = (typeof value === "object" && value !== null ? value : {}) as Partial<Handoff>;
  return type === "handoff" && isAgent(agent) ? value as Handoff : undefined;
}
