/** What a session is called, and its agent in a LiveKit room. */

/** The id of a new session. */
export const newSessionId = (): string => `session_${crypto.randomUUID()}`;

/** The identity of a session's agent. */
export const identityOf = (sessionId: string): string => `agent-${sessionId}`;
