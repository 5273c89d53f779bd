/**
 * `deno task test:e2e`: the end-to-end tests, in real time, a process for each file. Two of them at a time; those that measure
 * time, or keep both cores busy, run alone then, while the types of all are checked at the lowest priority; and at last the
 * container, whose image keeps the disk busy.
 */
const alone: readonly string[] = [
  "agents",
  "call",
  "claims_race",
  "first_words",
  "handover",
  "livekit_room",
  "people",
  "recording",
  "recovery",
  // An encoder without enough time spoils the picture.
  "livekit_video",
  "playground_camera",
  "vision",
];
const last = "container";

const shared = testsIn("tests/e2e").filter((path) => ![...alone, last].some((name) => path === pathOf(name)));
const quiet = [...alone.map(pathOf), ...testsIn("tests/fleet")];

let passed = await all(shared, 2);
const types = new Deno.Command("nice", { args: ["-n", "19", "deno", "check", "tests/e2e", "tests/fleet"] })
  .output();
passed = await all(quiet, 1) && passed;
const { success, stdout, stderr } = await types;
await new Blob([stderr, stdout]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
passed = await all([pathOf(last)], 1) && passed;
Deno.exit(passed && success ? 0 : 1);

function pathOf(name: string): string {
  return `tests/e2e/${name}_test.ts`;
}

function testsIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => path.endsWith("_test.ts")).sort();
}

/** Runs the tests in `paths`, so many files at a time; whether all have passed. */
async function all(paths: readonly string[], atOnce: number): Promise<boolean> {
  const left = [...paths];
  let passed = true;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      const args = ["task", "--quiet", "test:files", path];
      const { success } = await new Deno.Command("deno", { args }).spawn().status;
      passed &&= success;
    }
  }));
  return passed;
}
