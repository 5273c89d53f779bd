/** Why a session ended. */
export type CloseReason =
  /** `session.close()`, by the agent's own code. */
  | "closed"
  /** The linked participant left for good. */
  | "participant-left"
  | "room-deleted"
  /** The agent was put out of the room: by an operator, or by another participant of its identity. */
  | "removed"
  /** The room's connection was lost and did not come back. */
  | "disconnected"
  /** Somebody ended it over HTTP. */
  | "deleted"
  /** The server is shutting down. */
  | "shutdown"
  /** Nobody had said anything for too long. */
  | "user-away"
  /** The call has lasted as long as a call may. */
  | "max-duration"
  /** The call has cost as much as a call may. */
  | "cost-cap"
  /** The session goes on in another process, since this one is to end. */
  | "handed-over"
  /** Another process has the room's claim: this agent may not be heard there any more. */
  | "claim-lost"
  /** Setting the agent up failed, or its code did. */
  | "error";
