/** What is known of a session when it is started. */
export interface SessionFacts {
  readonly sessionId: string;
  readonly room: string;
  /** The room's own id (LiveKit: its SID); a room of the same name that comes later has another. */
  readonly roomSid: string;
  readonly agent: string;
  readonly metadata: string;
  /** Whom it is for; whoever comes first when it is left out. */
  readonly participant?: string;
  /** Milliseconds that it has taken in a process that is gone (default: none). */
  readonly elapsedMs?: number;
}
