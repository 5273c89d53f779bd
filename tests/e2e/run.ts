/**
 * `deno task test:e2e`: the end-to-end tests, in real time. Beside them, at a lower priority, their types are checked and the
 * container is tested, whose image keeps the disk busy for minutes; what comes of that is printed at the end.
 */
const beside = (...args: string[]) =>
  new Deno.Command("nice", { args: ["-n", "10", "deno", ...args] }).output();

const background = [beside("check", "tests/e2e", "tests/fleet"), beside("task", "--quiet", "test:container")];
const calls = await new Deno.Command("deno", { args: ["task", "--quiet", "test:calls"] }).spawn().status;
const ended = await Promise.all(background);
for (const { stdout, stderr } of ended) {
  await new Blob([stderr, stdout]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
}
Deno.exit([calls, ...ended].every(({ success }) => success) ? 0 : 1);
