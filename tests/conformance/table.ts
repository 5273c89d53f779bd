/** The table: every provider through every fault that fits it. */
import { fastClock } from "../fakes/fast_clock.ts";
import { callWith, type Outcome, problemsOf } from "./call.ts";
import type { FaultName } from "./faults.ts";
import type { Row } from "./providers.ts";

/** So many times faster than real time, if the machine can. */
const speed = 8;
/** So many calls are made at a time. */
const atOnce = 10;

/** A cell of the table. */
export interface Cell {
  readonly row: Row;
  /** Undefined: nothing goes wrong. */
  readonly fault: FaultName | undefined;
  readonly outcome: Outcome;
  /** What is not as it must be, in words. */
  readonly problems: readonly string[];
}

/** Makes the calls of these rows, in each row the one in which nothing goes wrong first. */
export async function cellsOf(rows: readonly Row[]): Promise<readonly Cell[]> {
  const calls = rows.flatMap((row) => [undefined, ...row.faults].map((fault) => ({ row, fault })));
  const cells: Cell[] = [];
  let next = 0;
  const work = async () => {
    for (let n = next++; n < calls.length; n = next++) cells[n] = await cellOf(calls[n]!);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return cells;
}

/** What is not as it must be, with where. */
export function problemsIn(cells: readonly Cell[]): string[] {
  return cells.flatMap(({ row, fault, problems }) =>
    problems.map((problem) => `${row.kind} ${row.name}, ${fault ?? "nothing wrong"}: ${problem}`)
  );
}

async function cellOf({ row, fault }: Pick<Cell, "row" | "fault">): Promise<Cell> {
  const clock = fastClock(speed);
  await using served = await row.serve(fault, clock);
  const outcome = await callWith(row, served, clock);
  return { row, fault, outcome, problems: problemsOf(outcome, fault !== undefined) };
}
