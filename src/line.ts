/** What waits to be said. */
import type { SpeechPriority, SpeechResult } from "./voice_session.ts";

/** What may stand in line. */
export interface Waiting {
  readonly priority: SpeechPriority;
  readonly interruptible: boolean;
  readonly settle: (result: SpeechResult) => void;
}

export interface Line<T extends Waiting> {
  /** Puts `job` in line: after those of its own priority, before those of a lower one. */
  add(job: T): void;
  /** Whose turn it is. */
  readonly first: T | undefined;
  /** All who stand there, in their order. */
  readonly waiting: readonly T[];
  /** Takes `job` out of the line to be said; false when it did not stand there. */
  take(job: T): boolean;
  /** Takes out those that `which` says (default: all) and settles them as unheard. */
  drop(which?: (job: T) => boolean): void;
}

/** What was never begun. */
export const unheard: SpeechResult = { text: "", interrupted: true };

const rank: Readonly<Record<SpeechPriority, number>> = { immediate: 0, high: 1, normal: 2 };

export function createLine<T extends Waiting>(): Line<T> {
  let jobs: T[] = [];
  return {
    get first() {
      return jobs[0];
    },
    get waiting() {
      return jobs;
    },
    add(job) {
      const before = jobs.findIndex(({ priority }) => rank[priority] > rank[job.priority]);
      jobs.splice(before < 0 ? jobs.length : before, 0, job);
    },
    take(job) {
      const stood = jobs.includes(job);
      jobs = jobs.filter((other) => other !== job);
      return stood;
    },
    drop(which = () => true) {
      const dropped = jobs.filter(which);
      jobs = jobs.filter((job) => !dropped.includes(job));
      for (const { settle } of dropped) settle(unheard);
    },
  };
}
