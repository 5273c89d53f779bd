import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { rows } from "./providers.ts";
import { cellsOf } from "./table.ts";

for (const row of rows) {
  describe(`${row.kind} ${row.name}`, () => {
    it("answers, and survives whatever its protocol can do to it", async () => {
      const problems = (await cellsOf(row)).flatMap(({ fault, problems }) =>
        problems.map((problem) => `${fault ?? "nothing wrong"}: ${problem}`)
      );
      assertEquals(problems, []);
    });
  });
}
