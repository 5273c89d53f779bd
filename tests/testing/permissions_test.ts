/** What a test of an agent may do: read the project, and what libraries ask of the environment; no network, no native code. */
import { assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";

it("a test of an agent needs no network", async () => {
  const permissions = ["--allow-read=.", "--allow-env", "--allow-sys=hostname"];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-prompt",
      "--no-check",
      "--quiet",
      ...permissions,
      "tests/testing/call_test.ts",
      "tests/agents/assistant_test.ts",
    ],
    cwd: new URL("../..", import.meta.url),
    env: { NO_COLOR: "1" },
    stderr: "null",
  }).output();
  const output = new TextDecoder().decode(stdout);
  assertEquals(code, 0, output);
  assertMatch(output, /ok \| \d\d passed \| 0 failed/);
});
