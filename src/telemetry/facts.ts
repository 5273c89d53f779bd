import type { ReportSums } from "./report.ts";

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
  /** What there was of it in a process that is gone: how long it took, in milliseconds, and what its report had summed up. */
  readonly before?: { readonly elapsedMs: number; readonly sums?: ReportSums };
}
