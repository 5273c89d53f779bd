/**
 * `deno task conformance`: the table of what every provider survives, on emulators of their wire protocols; as Markdown.
 * `deno task conformance PROVIDER`: the provider's models on the real service, with its key in the environment.
 */
import { faults } from "./faults.ts";
import { type Row, rows } from "./providers.ts";
import { behaviours, callReal } from "./real.ts";
import { cellsOf, problemsIn } from "./table.ts";

const [provider] = Deno.args;
if (provider === undefined) await printTable();
else await tryReal(provider);

async function printTable(): Promise<void> {
  const columns = [undefined, ...faults];
  const cells = await cellsOf(rows);
  const line = (words: readonly string[]) => console.log(`| ${words.join(" | ")} |`);
  line(["", ...columns.map((fault) => fault ?? "answers")]);
  line(["---", ...columns.map(() => ":-:")]);
  for (const row of rows) {
    const words = columns.map((fault) => {
      const cell = cells.find((cell) => cell.row === row && cell.fault === fault);
      if (!cell) return "–";
      return cell.problems.length > 0 ? "fails" : (cell.outcome.silentMs / 1000).toFixed(1);
    });
    line([`${row.kind} \`${row.name}\``, ...words]);
  }
  console.log(
    "\nSeconds: the longest silence between the end of a turn and the agent's voice. –: cannot happen to it.",
  );
  const problems = problemsIn(cells);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
}

async function tryReal(provider: string): Promise<void> {
  const mine = rows.filter(({ name }) => name.startsWith(`${provider}/`));
  if (mine.length === 0) {
    const known = [...new Set(rows.map(({ name }) => name.split("/")[0]))];
    console.error(`There is no provider ${JSON.stringify(provider)}; expected one of ${known.join(", ")}`);
    Deno.exit(2);
  }
  let failed = 0;
  const tell = (type: string, row: Row, words: string) =>
    console.log(`${type.padEnd(7)} ${row.kind} ${row.name}, ${words}`);
  for (const row of mine) {
    for (const behaviour of behaviours) {
      const { type, words } = await callReal(row, behaviour);
      if (type === "failed") failed++;
      tell(type, row, `${behaviour}: ${words}`);
    }
    const emulated = row.faults.filter((fault) => fault !== "401");
    tell("n/a", row, `${emulated.join(", ")}: a real service does not do that when it is asked to`);
  }
  if (failed > 0) Deno.exit(1);
}
