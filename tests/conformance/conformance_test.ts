import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { faults } from "./faults.ts";
import { rows } from "./providers.ts";
import { cellsOf, problemsIn } from "./table.ts";

describe("every provider", () => {
  it("stands in the README's table, with what was seen of each fault", async () => {
    const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
    const lines = readme.split("\n").map((line) => line.split("|").map((cell) => cell.trim()).slice(1, -1));
    const seen = rows.map(({ kind, name }) => lines.find(([label]) => label === `${kind} \`${name}\``) ?? []);
    const wanted = rows.map((row) =>
      [undefined, ...faults].map((fault) => !fault || row.faults.includes(fault))
    );
    assertEquals(seen.map(([, ...cells]) => cells.map((cell) => /^\d+\.\d$/.test(cell))), wanted);
  });

  for (const kind of ["STT", "LLM", "TTS", "speech"] as const) {
    it(`answers, and survives whatever its protocol can do to it: ${kind}`, async () => {
      assertEquals(problemsIn(await cellsOf(rows.filter((row) => row.kind === kind))), []);
    });
  }
});
