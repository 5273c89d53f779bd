import { AccessToken } from "livekit-server-sdk";
import type { AgentState } from "../room.ts";

/** The attribute clients read the agent's state from. */
export const STATE_ATTRIBUTE = "lk.agent.state";

/** What clients see of an agent as soon as it is in the room: its name, and that it is initializing. */
export function joinAttributes(agentName: string): Record<string, string> {
  const state: AgentState = "initializing";
  return { "lk.agent.name": agentName, [STATE_ATTRIBUTE]: state };
}

/** The access token with which an agent joins one room; clients see its kind, its name and that it is initializing. */
export function agentToken(
  { apiKey, apiSecret, roomName, identity, agentName }: {
    readonly apiKey: string;
    readonly apiSecret: string;
    readonly roomName: string;
    readonly identity: string;
    readonly agentName: string;
  },
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, {
    identity,
    name: agentName,
    attributes: joinAttributes(agentName),
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
