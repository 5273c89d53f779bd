/** LiveKit's Python client (PyPI's livekit-api) in an environment of its own, made once in the cache folder. */

const PACKAGE = "livekit-api==1.2.2";
const HOW =
  "install Python 3.10 or later with its venv module (Debian: python3-venv), and let pip reach PyPI";
const script = new URL("agent_dispatch.py", import.meta.url).pathname;

/** Runs agent_dispatch.py with `args` and returns what it printed. */
export type PythonClient = (...args: string[]) => Promise<unknown>;

/** The client; undefined when it cannot be had, and says how to get it. Throws then when `CI` is set. */
export async function findPythonClient(): Promise<PythonClient | undefined> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/repartee/python-${PACKAGE.replace("==", "-")}`;
  const python = `${folder}/bin/python`;
  const works = () => succeeds(python, ["-c", "import livekit.api"]);
  if (!await works()) {
    console.log(`installing ${PACKAGE} into ${folder} …`);
    await succeeds("python3", ["-m", "venv", "--clear", folder]) &&
      await succeeds(python, ["-m", "pip", "install", "--quiet", PACKAGE]);
  }
  if (await works()) return (...args) => run(python, args);
  if (Deno.env.get("CI") === "true") throw new Error(`${PACKAGE} is missing: ${HOW}`);
  console.log(`skipped, ${PACKAGE} is missing: ${HOW}`);
  return undefined;
}

async function run(python: string, args: string[]): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(python, { args: [script, ...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
