/** Who goes on with the conversation: another agent, as a tool wants it, or a task for as long as it takes. */
import type { Agent } from "./agent.ts";
import type { Charge, Equipped } from "./charge.ts";
import { asStageError, type StageError, TaskError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import type { Handoff } from "./handoff.ts";
import { type Task, type TaskOver, taskOver } from "./task.ts";
import { callAtWork } from "./tools/at_work.ts";

/** The conversation changes hands no more often than this without a word of the user's: tools may hand it round in a circle. */
const mostChanges = 5;

export interface SuccessionOptions {
  readonly charge: Charge;
  /** What an agent works with; throws when that is not to be had. */
  readonly equip: (agent: Agent) => Equipped;
  /** The version of an agent that there is now (default: itself). */
  readonly latest?: ((agent: Agent) => Agent) | undefined;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /**
   * Told that another is in charge from now on. `from`: the agent that has handed the conversation over; `isBack`: it only
   * goes on after a task, and its own code is not run.
   */
  readonly onTaken: (about: { readonly from?: string; readonly isBack?: true }) => void;
  readonly onError: (error: StageError) => void;
}

export interface Succession {
  /**
   * Who is to go on, ready to take the conversation, as the reply of that id wants it; throws an Error in words when that
   * cannot be.
   */
  successor(next: Handoff | TaskOver, replyId: string): { readonly name: string; readonly take: () => void };
  /** The user has said something. */
  heard(): void;
  /** The newest version of the agent in charge goes on; returns whether that is another one. */
  renew(): boolean;
  /** Whether a task is under way. */
  readonly busy: boolean;
  /** See VoiceSession. */
  run<Result>(task: Task<Result>): Promise<Result>;
}

/** Hands over, and back. */
export function createSuccession(
  { charge, equip, latest = (agent) => agent, signal, emit, onTaken, onError }: SuccessionOptions,
): Succession {
  let changes = 0;
  let tasks = 0;
  let last: Promise<unknown> = Promise.resolve();

  const refuseCircle = () => {
    if (changes < mostChanges) return;
    throw new Error(
      "the conversation has changed hands too often without the user; answer them without that",
    );
  };

  /** The task is in charge until it is over. */
  const perform = async <Result>(task: Task<Result>): Promise<Result> => {
    const over = Promise.withResolvers<Result>();
    const ended = () =>
      over.reject(new TaskError("the session ended before the task did", { reason: "ended" }));
    if (signal.aborted) ended();
    signal.addEventListener("abort", ended, { once: true });
    tasks++;
    try {
      const before = charge.current;
      const agent = task.doneBy(before.agent, (what) =>
        taskOver({
          result: "error" in what ? "The user did not want to." : "That was handed in.",
          end() {
            charge.take(before);
            onTaken({ isBack: true });
            if ("error" in what) over.reject(what.error);
            else over.resolve(what.result);
          },
        }));
      if (!signal.aborted) {
        charge.take({ ...equip(agent), agentName: before.agentName });
        onTaken({});
      }
      return await over.promise;
    } finally {
      tasks--;
      signal.removeEventListener("abort", ended);
    }
  };
  return {
    get busy() {
      return tasks > 0;
    },
    heard: () => void (changes = 0),
    renew() {
      const { agent, agentName } = charge.current;
      const newest = latest(agent);
      if (newest === agent) return false;
      try {
        charge.take({ ...equip(newest), agentName });
      } catch (error) {
        onError(asStageError("agent", error)); // and the version before goes on
        return false;
      }
      return true;
    },
    successor(next, replyId) {
      if (next.type === "task-over") return { name: charge.current.agentName, take: next.end };
      if (tasks > 0) throw new Error("a task is under way, which is to be ended first");
      refuseCircle();
      const equipped = equip(next.agent);
      const take = () => {
        if (signal.aborted) return;
        changes++;
        const from = charge.current.agentName;
        charge.take(equipped);
        emit({ type: "handoff", from, to: equipped.agentName, replyId });
        onTaken({ from });
      };
      return { name: equipped.agentName, take };
    },
    async run(task) {
      const call = callAtWork.getStore();
      refuseCircle();
      changes++;
      if (call?.isAtWork) {
        // Another task may wait for this one: the tool may be one of its own.
        await call.detach();
        return await perform(task);
      }
      const before = last;
      const over = Promise.withResolvers<void>();
      last = over.promise;
      try {
        await before;
        return await perform(task);
      } finally {
        over.resolve();
      }
    },
  };
}
