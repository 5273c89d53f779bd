/** What a session is called, and its agent in a LiveKit room. */

/** The id of a new session. */
export const newSessionId = (): string => `session_${crypto.randomUUID()}`;

/** The identity of a session's agent, until another process takes over. */
export const identityOf = (sessionId: string): string => `agent-${sessionId}`;

/**
 * The identity of an agent that is to take over from the one that has `identity`: both are in the room for a moment. No two
 * are the same, since one that has given up may yet come in, and would put out the other.
 */
export const identityAfter = (identity: string): string =>
  `${identity.replace(/\..*$/, "")}.${crypto.randomUUID().slice(0, 8)}`;

/** The id of the session whose agent has that identity; undefined when it is none of Repartee's. */
export const sessionIdFrom = (identity: string): string | undefined =>
  /^agent-(session_[^.]+)(\.\w+)?$/.exec(identity)?.[1];
