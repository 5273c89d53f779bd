/**
 * Calls at random: whatever is said, cut, doubled, fails or hangs, and whenever, every turn has one outcome, nothing gets
 * stuck and nothing is left behind. 1,000 calls here; `deno task test:property` plays 100,000, other ones each time.
 */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as fc from "fast-check";
import { given, seed } from "./given.ts";
import { violations } from "./run.ts";
import { script } from "./script.ts";

const runs = Number(given("runs") ?? 1_000);

describe("calls at random", () => {
  it(`hold what is promised: ${runs} of them, seed ${seed}`, async () => {
    const property = fc.asyncProperty(script, async (call) => assertEquals(await violations(call), []));
    await fc.assert(property, {
      numRuns: runs,
      seed,
      endOnFailure: given("shrink") === undefined && runs > 1_000,
    });
  });
});
