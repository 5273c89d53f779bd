/** A turn to which nothing was said yet when somebody else took over: what is said next answers it. */
import type { TurnOutcome } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { CommittedTurn, Job } from "./replies.ts";

export interface PassedOn {
  /** `turn` is to be answered by what comes next. */
  pass(turn: CommittedTurn): void;
  /** `job` comes next. */
  give(job: Job): void;
  /** Nothing will answer it. */
  end(outcome: TurnOutcome): void;
}

export function createPassedOn(ledger: Ledger): PassedOn {
  let waiting: CommittedTurn | undefined;
  return {
    pass: (turn) => void (waiting = turn),
    give(job) {
      if (!waiting || job.recovery) return;
      job.answers = waiting;
      waiting = undefined;
    },
    end(outcome) {
      if (waiting) ledger.end(waiting.turnId, outcome);
      waiting = undefined;
    },
  };
}
