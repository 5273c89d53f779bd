/** A session as LiveKit's protocol has it: an AgentDispatch with one job (livekit_agent_dispatch.proto). */
import {
  AgentDispatch,
  AgentDispatchState,
  Job,
  JobState,
  JobStatus,
  JobType,
  Room,
} from "@livekit/protocol";
import type { SessionRecord } from "../telemetry/archive.ts";
import type { SessionReport } from "../telemetry/report.ts";
import type { DispatchedSession } from "./dispatcher.ts";
import { identityOf } from "./session_id.ts";

const sessionPrefix = "session_";

/** The dispatch's id, `AD_…`, which is as unique as the session's. */
export function dispatchIdOf({ facts: { sessionId } }: Pick<SessionRecord, "facts">): string {
  return `AD_${sessionId.replace(sessionPrefix, "")}`;
}

/** The id of the session that a dispatch of that id would be. */
export function sessionIdOf(dispatchId: string): string {
  return `${sessionPrefix}${dispatchId.replace("AD_", "")}`;
}

/** How it stands with the session now. Times are nanoseconds, as LiveKit's server has them; 0 when they have not come. */
export function dispatchOf(record: SessionRecord): AgentDispatch {
  return messageOf(record.facts, record.report());
}

/** A session of another process, of which no more is known. */
export function dispatchElsewhere(
  { state, ...session }: DispatchedSession & { readonly metadata?: string },
): AgentDispatch {
  const facts = { roomSid: "", metadata: "", ...session };
  return messageOf(facts, { state: state === "connected" ? "listening" : "initializing" });
}

function messageOf(
  facts: SessionRecord["facts"],
  report: Pick<SessionReport, "state" | "closeReason"> & Partial<SessionReport>,
): AgentDispatch {
  const { sessionId, room, roomSid, agent, metadata } = facts;
  const [startedAt, endedAt] = [nanoseconds(report.startedAt), nanoseconds(report.endedAt)];
  const id = dispatchIdOf({ facts });
  const job = new Job({
    id: id.replace("AD_", "AJ_"),
    dispatchId: id,
    type: JobType.JT_ROOM,
    room: new Room({ name: room, sid: roomSid }),
    metadata,
    agentName: agent,
    state: new JobState({
      ...outcomeOf(report),
      startedAt,
      endedAt,
      updatedAt: endedAt || startedAt,
      participantIdentity: identityOf(sessionId),
    }),
  });
  return new AgentDispatch({
    id,
    agentName: agent,
    room,
    metadata,
    state: new AgentDispatchState({ jobs: [job], createdAt: startedAt, deletedAt: endedAt }),
  });
}

function outcomeOf(
  { state, closeReason }: Pick<SessionReport, "state" | "closeReason">,
): { readonly status: JobStatus; readonly error?: string } {
  if (state === "initializing") return { status: JobStatus.JS_PENDING };
  if (state !== "closed") return { status: JobStatus.JS_RUNNING };
  if (closeReason !== "error") return { status: JobStatus.JS_SUCCESS };
  return { status: JobStatus.JS_FAILED, error: "The session ended with an error; its report says which." };
}

function nanoseconds(time: string | undefined): bigint {
  return time === undefined ? 0n : BigInt(Date.parse(time)) * 1_000_000n;
}
