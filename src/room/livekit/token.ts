import { AccessToken } from "livekit-server-sdk";
import type { AgentState } from "../room.ts";

/** The attribute clients read the agent's state from. */
export const STATE_ATTRIBUTE = "lk.agent.state";

/** The attribute that hides an agent from clients, which look for one without it; it holds another agent's identity. */
export const ON_BEHALF_ATTRIBUTE = "lk.publish_on_behalf";

/**
 * What clients see of an agent as soon as it is in the room: its name, and that it is initializing. `onBehalfOf`: it stays
 * hidden behind the agent of that identity.
 */
export function joinAttributes(agentName: string, onBehalfOf?: string): Record<string, string> {
  const state: AgentState = "initializing";
  return {
    "lk.agent.name": agentName,
    [STATE_ATTRIBUTE]: state,
    ...(onBehalfOf !== undefined && { [ON_BEHALF_ATTRIBUTE]: onBehalfOf }),
  };
}

/** The access token with which an agent joins one room; clients see its kind, its name and that it is initializing. */
export function agentToken(
  { apiKey, apiSecret, roomName, identity, agentName, onBehalfOf }: {
    readonly apiKey: string;
    readonly apiSecret: string;
    readonly roomName: string;
    readonly identity: string;
    readonly agentName: string;
    readonly onBehalfOf?: string | undefined;
  },
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, {
    identity,
    name: agentName,
    attributes: joinAttributes(agentName, onBehalfOf),
  });
  token.kind = "agent";
  token.addGrant({
    room: roomName,
    roomJoin: true,
    agent: true,
    hidden: false,
    canPublish: true,
    canSubscribe: true,
    canPublishData: true,
    canUpdateOwnMetadata: true,
  });
  return token.toJwt();
}
