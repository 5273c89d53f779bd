/** The table: every provider through every fault that fits it. */
import { fastClock } from "../fakes/fast_clock.ts";
import { callWith, type Outcome, problemsOf } from "./call.ts";
import type { FaultName } from "./faults.ts";
import type { Row } from "./providers.ts";

/** So many times faster than real time; a machine that is busy for 100 ms has then lost half a second. */
const speed = 5;
/** So many calls are made at a time. */
const atOnce = 4;

/** A cell of the table. */
export interface Cell {
  /** Undefined: nothing goes wrong. */
  readonly fault: FaultName | undefined;
  readonly outcome: Outcome;
  /** What is not as it must be, in words. */
  readonly problems: readonly string[];
}

/** Makes the calls of one row, the one in which nothing goes wrong first. */
export async function cellsOf(row: Row): Promise<readonly Cell[]> {
  const faults = [undefined, ...row.faults];
  const cells: Cell[] = [];
  const work = async () => {
    for (let i = next++; i < faults.length; i = next++) cells[i] = await cellOf(row, faults[i]);
  };
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, work));
  return cells;
}

async function cellOf(row: Row, fault: FaultName | undefined): Promise<Cell> {
  const clock = fastClock(speed);
  await using served = await row.serve(fault, clock);
  const outcome = await callWith(row, served, clock);
  return { fault, outcome, problems: problemsOf(outcome, fault !== undefined) };
}
