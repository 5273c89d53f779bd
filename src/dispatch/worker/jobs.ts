/** LiveKit's jobs for one name: what is answered to an offer, and what becomes of those that are assigned. */
import { AvailabilityResponse, type Job, JobStatus, JobType, UpdateJobStatus } from "@livekit/protocol";
import type { CloseReason } from "../../events.ts";
import type { Log } from "../../log.ts";
import { joinAttributes } from "../../room/livekit/token.ts";
import type { VoiceSession } from "../../voice_session.ts";
import type { Dispatcher, DispatchRequest, Ticket } from "../dispatcher.ts";
import { inWords } from "../results.ts";
import type { Rooms } from "../rooms.ts";
import { identityOf, newSessionId } from "../session_id.ts";
import type { FromLiveKit } from "./connection.ts";
import type { Registration } from "./registration.ts";

/** What became of a job: what its dispatch came to, or why there was none. */
export type JobOutcome =
  | Awaited<ReturnType<Dispatcher["dispatch"]>>["type"]
  /** Not taken: it was offered while no session would have been. */
  | "declined"
  /** The room is to have no agent, or another one. */
  | "needless";

export interface Jobs {
  /** The ids of those that go on. */
  readonly ids: readonly string[];
  take(message: Exclude<FromLiveKit, { readonly case: "register" }>): void;
}

export interface JobsOptions {
  /** The agent that the name stands for. */
  readonly agent: string;
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "refusal">;
  readonly rooms: Pick<Rooms, "dispatches">;
  /** What to ask the dispatcher for; undefined: the room is to have no agent. */
  readonly asks: (job: Job) => Promise<DispatchRequest | undefined>;
  readonly link: Pick<Registration, "send" | "flush">;
  readonly onOutcome: (outcome: JobOutcome) => void;
  readonly log: Log;
}

/** A job that was assigned and goes on. */
interface RunningJob {
  readonly room: string;
  readonly dispatchId: string;
  session?: VoiceSession;
}

export function createJobs({ agent, dispatcher, rooms, asks, link, onOutcome, log }: JobsOptions): Jobs {
  /** The sessions that jobs are to become, by the job's id. */
  const offered = new Map<string, string>();
  const running = new Map<string, RunningJob>();

  /** Answered at once: LiveKit's own server asks nobody else when it has to wait. */
  const offer = ({ id: jobId, type }: Job) => {
    const available = type === JobType.JT_ROOM && dispatcher.refusal === undefined;
    const sessionId = newSessionId();
    if (available) offered.set(jobId, sessionId);
    else onOutcome("declined");
    const participant = {
      participantIdentity: identityOf(sessionId),
      participantName: agent,
      participantAttributes: joinAttributes(agent),
    };
    link.send({
      case: "availability",
      value: new AvailabilityResponse({ jobId, available, ...(available && participant) }),
    });
  };

  const update = (jobId: string, status: JobStatus, error = "") =>
    link.send({ case: "updateJob", value: new UpdateJobStatus({ jobId, status, error }) });
  const end = (jobId: string, error?: string) => {
    running.delete(jobId);
    update(jobId, error === undefined ? JobStatus.JS_SUCCESS : JobStatus.JS_FAILED, error);
  };

  const carry = async (job: Job, entry: RunningJob, ticket: Ticket): Promise<void> => {
    const { id } = job;
    let started = false;
    let left: CloseReason | undefined;
    const leave = (reason: CloseReason) =>
      end(id, reason === "error" ? "The session ended with an error; its report says which." : undefined);
    const asked = await asks(job);
    // Another agent than the job was offered to is sent for its own sake; the job has nothing to do.
    const ours = asked?.agent === agent;
    const result = asked && await dispatcher.dispatch({
      ...asked,
      ...(ours && { ticket }),
      onStart: (session) => void (entry.session = session),
      async onLeave(reason) {
        left = reason;
        if (!started || !ours) return;
        leave(reason);
        await link.flush(); // whose agent leaves first has failed, to LiveKit
      },
    });
    onOutcome(result?.type ?? "needless");
    if (result && !("session" in result)) {
      log.warn({ ...result, jobId: id, room: entry.room }, "a job of LiveKit's could not be carried out");
      return end(id, inWords(result));
    }
    if (!ours || result?.type !== "created") return end(id);
    started = true;
    if (left !== undefined) return leave(left);
    update(id, JobStatus.JS_RUNNING);
  };

  /** LiveKit tells of a dispatch that was deleted, and of an agent that is not in the room, if only for a moment. */
  const terminate = async ({ session, room, dispatchId }: RunningJob): Promise<void> => {
    const dispatches = await rooms.dispatches(room);
    if (!dispatches.some(({ id }) => id === dispatchId)) await session?.close("deleted");
  };

  return {
    get ids() {
      return [...running.keys()];
    },
    take(message) {
      switch (message.case) {
        case "availability":
          if (message.value.job) offer(message.value.job);
          return;
        case "assignment": {
          const { job, token, url } = message.value;
          const sessionId = job && offered.get(job.id);
          if (!job?.room || sessionId === undefined) {
            return log.warn({ jobId: job?.id }, "a job was not asked for");
          }
          offered.delete(job.id);
          const entry: RunningJob = { room: job.room.name, dispatchId: job.dispatchId };
          running.set(job.id, entry);
          const { dispatchId } = job;
          carry(job, entry, { sessionId, token, ...(url && { url }), ...(dispatchId && { dispatchId }) })
            .catch((error) => {
              log.error({ error, jobId: job.id }, "a job of LiveKit's failed");
              end(job.id, "The agent could not be sent; the server's log says why.");
            });
          return;
        }
        case "termination": {
          const { jobId } = message.value;
          const job = running.get(jobId);
          if (job) {
            terminate(job).catch((error) =>
              log.warn({ error, jobId }, "a job was not ended as LiveKit asked")
            );
          }
        }
      }
    },
  };
}
