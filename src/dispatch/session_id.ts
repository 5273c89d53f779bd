/** What a session is called, and its agent in a LiveKit room. */

/** The id of a new session. */
export const newSessionId = (): string => `session_${crypto.randomUUID()}`;

/** The identity of a session's agent, until another process takes over. */
export const identityOf = (sessionId: string): string => `agent-${sessionId}`;

/** The identity of the agent that takes over from the one that has `identity`: both are in the room for a moment. */
export function identityAfter(identity: string): string {
  const [, agent = identity, count = "0"] = /^(.+)\.(\d+)$/.exec(identity) ?? [];
  return `${agent}.${Number(count) + 1}`;
}

/** The id of the session whose agent has that identity; undefined when it is none of Repartee's. */
export const sessionIdFrom = (identity: string): string | undefined =>
  /^agent-(session_[^.]+)(\.\d+)?$/.exec(identity)?.[1];
