import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { fastClock } from "../fakes/fast_clock.ts";
import { callWith, problemsOf } from "./call.ts";
import type { FaultName } from "./faults.ts";
import { type Row, rows } from "./providers.ts";

/** So many times faster than real time. */
const speed = 10;

/** What is not as it must be, fault by fault. */
async function problemsWith({ serve }: Row, fault: FaultName | undefined): Promise<string[]> {
  const clock = fastClock(speed);
  await using served = await serve(fault, clock);
  const problems = problemsOf(await callWith(served, clock), fault !== undefined);
  return problems.map((problem) => `${fault ?? "nothing wrong"}: ${problem}`);
}

for (const row of rows) {
  describe(`${row.kind} ${row.name}`, () => {
    it("answers, and survives whatever its protocol can do to it", async () => {
      const problems = [undefined, ...row.faults].map((fault) => problemsWith(row, fault));
      assertEquals((await Promise.all(problems)).flat(), []);
    });
  });
}
