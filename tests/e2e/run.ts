/**
 * `deno task test:e2e`: the end-to-end tests, in real time, a process for each file. Two of them at a time; those that measure
 * time, or keep both cores busy, run alone then, while the types of all are checked at the lowest priority; and at last the
 * container, whose image keeps the disk busy.
 *
 * Real sound on a machine that does something else besides can fail a test which is right. A file that fails is run once more,
 * with nothing beside it, and that counts; its first output is indented, and its name is said at the end.
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

/** How long one file may take, in ms; what hangs is ended, so that the others are still run. */
const LIMIT = 240_000;

const shared = testsIn("tests/e2e").filter((path) => ![...alone, last].some((name) => path === pathOf(name)));
const quiet = [...alone.map(pathOf), ...testsIn("tests/fleet")];

const again = await failing(shared, 2);
const types = new Deno.Command("nice", { args: ["-n", "19", "deno", "check", "tests/e2e", "tests/fleet"] })
  .output();
again.push(...await failing(quiet, 1));
const { success, stdout, stderr } = await types;
await write(new Blob([stderr, stdout]));
again.push(...await failing([pathOf(last)], 1));

const failed: string[] = [];
for (const path of again) if (!await passes(path, write)) failed.push(path);
for (const path of again) {
  console.log(
    failed.includes(path)
      ? `${path} failed twice.`
      : `${path} failed once, and passed when run again, alone.`,
  );
}
Deno.exit(success && failed.length === 0 ? 0 : 1);

function pathOf(name: string): string {
  return `tests/e2e/${name}_test.ts`;
}

function testsIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => path.endsWith("_test.ts")).sort();
}

/** Runs the tests in `paths`, so many files at a time; those that fail. */
async function failing(paths: readonly string[], atOnce: number): Promise<string[]> {
  const left = [...paths];
  const failing: string[] = [];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      const passed = await passes(
        path,
        async (output, ok) => await write(ok ? output : await indented(output)),
      );
      if (!passed) failing.push(path);
    }
  }));
  return failing;
}

/** Whether the tests in the file pass. What they print is shown in one piece, so that two files do not mix. */
async function passes(
  path: string,
  show: (output: Blob, passed: boolean) => Promise<void>,
): Promise<boolean> {
  const args = ["task", "--quiet", "test:files", path];
  const process = new Deno.Command("deno", { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const read = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
    stream.pipeTo(new WritableStream({ write: (chunk) => void chunks.push(chunk) }));
  const all = Promise.all([read(process.stdout), read(process.stderr)]);
  const limit = setTimeout(() => process.kill(), LIMIT);
  const { success } = await process.status;
  clearTimeout(limit);
  // A server that outlives its test keeps these open.
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 1000))]);
  await show(new Blob(chunks), success);
  return success;
}

async function indented(output: Blob): Promise<Blob> {
  return new Blob([(await output.text()).replace(/^(?=.)/gm, "  ")]);
}

async function write(output: Blob): Promise<void> {
  await output.stream().pipeTo(Deno.stdout.writable, { preventClose: true });
}
