import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { rows } from "./providers.ts";
import { cellsOf, problemsIn } from "./table.ts";

describe("every provider", () => {
  for (const kind of ["STT", "LLM", "TTS"] as const) {
    it(`answers, and survives whatever its protocol can do to it: ${kind}`, async () => {
      assertEquals(problemsIn(await cellsOf(rows.filter((row) => row.kind === kind))), []);
    });
  }
});
