import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { fastClock } from "../fakes/fast_clock.ts";
import { callWith } from "./call.ts";
import { rows } from "./providers.ts";

/** So many times faster than real time. */
const speed = 10;
/** From the end of a turn until somebody speaks, if only to apologize; and until a session is closed; milliseconds. */
const budget = { silentMs: 12_000, closeMs: 5_000 };

for (const { kind, name, faults, serve } of rows) {
  describe(`${kind} ${name}`, () => {
    for (const fault of [undefined, ...faults]) {
      it(fault ? `survives: ${fault}` : "answers", async () => {
        const clock = fastClock(speed);
        await using served = await serve(fault, clock);
        const { survived, lost, silentMs, closeMs, leaked, errors } = await callWith(served, clock);
        const told = `; errors: ${errors.join(" | ") || "none"}`;
        assert(survived, `the second question was not answered${told}`);
        assert(lost <= (fault ? 1 : 0), `${lost} utterances were lost${told}`);
        assert(silentMs <= budget.silentMs, `it was silent for ${Math.round(silentMs)} ms${told}`);
        assert(closeMs <= budget.closeMs, `it took ${Math.round(closeMs)} ms to close`);
        assertEquals(leaked, 0, "sockets were left open");
        if (!fault) assertEquals(errors, []);
      });
    }
  });
}
