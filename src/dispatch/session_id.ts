/** What a session is called, and its agent in a LiveKit room. */

/** The id of a new session. */
export const newSessionId = (): string => `session_${crypto.randomUUID()}`;

/** The identity of a session's agent. */
export const identityOf = (sessionId: string): string => `agent-${sessionId}`;

/** The id of the session whose agent has that identity; undefined when it is none of Repartee's. */
export const sessionIdFrom = (identity: string): string | undefined =>
  /^agent-(session_.+)$/.exec(identity)?.[1];
