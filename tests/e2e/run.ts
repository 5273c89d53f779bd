/**
 * `deno task test:e2e`: the end-to-end tests, in real time, while their types are checked at the lowest priority; then the
 * container, whose image keeps the disk busy.
 */
const types = new Deno.Command("nice", { args: ["-n", "19", "deno", "check", "tests/e2e", "tests/fleet"] })
  .output();
const calls = await run("test:calls");
const { success, stdout, stderr } = await types;
await new Blob([stderr, stdout]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
const container = await run("test:container");
Deno.exit(success && calls && container ? 0 : 1);

async function run(task: string): Promise<boolean> {
  const { success } = await new Deno.Command("deno", { args: ["task", "--quiet", task] }).spawn().status;
  return success;
}
