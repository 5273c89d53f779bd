/** The turn ledger: every committed turn has exactly one outcome. */
import type { SessionEventBody, TurnOutcome } from "./events.ts";

export interface Ledger {
  /** The turn `turnId` was committed: its outcome is owed. */
  open(turnId: string): void;
  /** The turn met its end; only the first outcome of an open turn counts. */
  end(turnId: string, outcome: TurnOutcome): void;
  /** Gives every turn that is still open this outcome. */
  endAll(outcome: TurnOutcome): void;
  /** How many turns have no outcome yet. */
  readonly owed: number;
  /** The newest of them. */
  readonly newest: string | undefined;
}

/** A ledger that tells each outcome with a `turn-ended` event. */
export function createLedger(emit: (event: SessionEventBody) => void): Ledger {
  const owed = new Set<string>();
  const end = (turnId: string, outcome: TurnOutcome) => {
    if (owed.delete(turnId)) emit({ type: "turn-ended", turnId, outcome });
  };
  return {
    open: (turnId) => void owed.add(turnId),
    end,
    endAll(outcome) {
      for (const turnId of [...owed]) end(turnId, outcome);
    },
    get owed() {
      return owed.size;
    },
    get newest() {
      return [...owed].at(-1);
    },
  };
}
