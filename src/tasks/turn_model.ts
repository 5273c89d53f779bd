/**
 * `deno task turn-model`: fetches smart-turn v3.2 (BSD-2) to .models, for TURN_MODEL. It is a file of the package
 * pipecat-ai, which pip brings from wherever it is set up to look.
 */
import { ConfigError } from "../errors.ts";
import { runTask } from "./task.ts";

const folder = ".models";
const file = "smart-turn-v3.2-cpu.onnx";
const sha256 = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f";
const source = "pipecat-ai==1.14.0";
/** Opens the package that pip has brought to the folder it is given, and puts the model beside it. */
const unpack = `
import glob, sys, zipfile
folder, file = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    with open(folder + "/" + file, "wb") as out:
        out.write(wheel.read("pipecat/audio/turn/smart_turn/data/" + file))
`;

await runTask(async () => {
  const path = `${folder}/${file}`;
  if (await isModel(path)) return console.log(`${path} is there already: TURN_MODEL=${path}`);
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: "turn-model-" });
  try {
    // The package is not installed, only opened: it need not fit this machine's Python.
    const place = ["--no-deps", "--only-binary=:all:", "--python-version=3.12", "--dest", work];
    await python("-m", "pip", "download", "--quiet", "--disable-pip-version-check", ...place, source);
    await python("-c", unpack, work, file);
    if (!await isModel(`${work}/${file}`)) {
      throw new ConfigError(`${source} holds another ${file} than expected: its SHA-256 is not ${sha256}`);
    }
    await Deno.rename(`${work}/${file}`, path);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  console.log(`${path} is there now: TURN_MODEL=${path}`);
});

async function isModel(path: string): Promise<boolean> {
  try {
    const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
    return new Uint8Array(hash).toHex() === sha256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function python(...args: string[]): Promise<void> {
  const run = new Deno.Command("python3", { args, stdout: "null" });
  const status = await run.output().catch((error) => {
    if (error instanceof Deno.errors.NotFound) {
      throw new ConfigError("There is no python3; expected it, with pip");
    }
    throw error;
  });
  if (status.success) return;
  const said = new TextDecoder().decode(status.stderr).trim().split("\n").slice(-3).join("\n");
  throw new ConfigError(
    `python3 ${args[1] ?? ""} ended with code ${status.code}; expected Python 3 with pip:\n${said}`,
  );
}
