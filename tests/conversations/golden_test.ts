/**
 * Golden conversations: each file holds a script, a line of dashes, and what came of it. `deno task golden` writes the
 * second part anew; the difference is to be read before it is committed.
 */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runScript } from "./run.ts";
import { parseScript } from "./script.ts";

const folder = new URL("./", import.meta.url);
const divider = "\n----\n";
const rewrite = Deno.args.includes("--rewrite");

describe("golden conversations", () => {
  for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name.localeCompare(b.name))) {
    if (!name.endsWith(".txt")) continue;
    it(name.replace(".txt", "").replaceAll("-", " "), async () => {
      const file = new URL(name, folder);
      const [script = "", expected = ""] = (await Deno.readTextFile(file)).split(divider);
      const { lines, pending } = await runScript(parseScript(script));
      const actual = lines.join("\n") + "\n";
      if (rewrite) await Deno.writeTextFile(file, script.trimEnd() + divider + actual);
      else assertEquals(actual, expected);
      assertEquals(pending, 0, "the session left timers behind");
    });
  }
});
