/**
 * Calls at random whose process ends at random, and which go on in another: what holds of every call holds of the second
 * part, what was owed is paid once, and no tool of effect "once" is run again.
 */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as fc from "fast-check";
import { given, seed } from "./given.ts";
import { type Left, violations } from "./run.ts";
import { script } from "./script.ts";

const runs = Number(given("runs") ?? 150);

describe("calls that go on in another process", () => {
  it(`hold what is promised: ${runs} of them, seed ${seed}`, async () => {
    const crash = fc.record({ atMs: fc.integer({ min: 100, max: 14_000 }), toolsMs: fc.nat(2_000) });
    const property = fc.asyncProperty(script, script, crash, async (call, rest, crash) => {
      let left: Left | undefined;
      assertEquals(await violations(call, { crash, leave: (all) => left = all }), []);
      const calls = call.models.flatMap(({ calls }) => calls).slice(0, 3); // may be called again
      const models = rest.models.map((model) => ({ ...model, calls }));
      if (left) assertEquals(await violations({ ...rest, models }, { before: left }), []);
    });
    await fc.assert(property, {
      numRuns: runs,
      seed,
      endOnFailure: given("shrink") === undefined && runs > 1_000,
    });
  });
});
