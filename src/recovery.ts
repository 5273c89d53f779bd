/** How a conversation that is stuck goes on: without the reply that it is stuck at. */
import type { Accounts } from "./accounts.ts";
import type { Clock } from "./clock.ts";
import { StageError } from "./errors.ts";
import { createGuard, type Guard } from "./guard.ts";
import type { Ledger } from "./ledger.ts";
import { unheard } from "./line.ts";
import type { PassedOn } from "./passed_on.ts";
import type { Replies } from "./replies.ts";
import type { Speech } from "./speech.ts";
import type { TurnTaker } from "./turn_taker.ts";

export interface RecoveryOptions {
  readonly turns: TurnTaker;
  readonly replies: Replies;
  readonly speech: Pick<Speech, "apologize">;
  readonly ledger: Ledger;
  readonly passedOn: PassedOn;
  readonly accounts: Accounts;
  readonly clock: Clock;
  /** Told of what it was stuck at. */
  readonly onError: (error: StageError) => void;
}

/** Guards a conversation, and helps it on. */
export function createRecovery(
  { turns, replies, speech, ledger, passedOn, accounts, clock, onError }: RecoveryOptions,
): Guard {
  return createGuard({
    clock,
    owes: () => turns.state.agent.is !== "silent" || replies.busy || ledger.owed > 0,
    progressMs: () => Math.max(turns.agentSinceMs, replies.progressMs ?? -Infinity),
    onStall(waitedMs) {
      const job = replies.current;
      const error = new StageError("session", `the agent got no further for ${Math.round(waitedMs)} ms`);
      replies.abandon();
      passedOn.end("failed");
      ledger.endAll("failed");
      onError(error);
      accounts.stalled(job, error, waitedMs);
      job?.settle({ ...unheard, error });
      if (!job?.recovery) speech.apologize();
      turns.note({ type: "interrupt" });
    },
  });
}
