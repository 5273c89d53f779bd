/** The server as an operator runs it: the command of `deno task start`, in a process of its own. */
import { environment } from "../../src/environment.ts";
import { readLines } from "./lines.ts";

/** A line of the server's log. */
export interface LogEntry {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly sessionId?: string;
  readonly [field: string]: unknown;
}

export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  /** Settles with its address when it listens; rejects with all it said when it ends before. */
  readonly url: Promise<string>;
  /** Settles with the exit code once everything it wrote was read. */
  readonly exit: Promise<number>;
  /** What it wrote up to now, to both outputs. */
  readonly output: string;
  /** The lines of its log up to now. */
  readonly log: readonly LogEntry[];
  kill(signal: Deno.Signal): void;
}

const root = new URL("../..", import.meta.url);
/** How long the process may take to end by itself; a call that hangs takes 5 s to close. */
const endMs = 8_000;

/**
 * Starts the server, without the task runner between so that the process gets the signals, on a port that is free.
 * It sees the variables of `env` and, of the server's own, no others, whatever a `.env` file says. However late it is, as
 * machines are that run many tests, it takes calls; and when it ends, so do they. `folder`: a copy of the server's, where
 * there is one; `flags`: more for `deno run`.
 */
export async function startServer(
  env: Readonly<Record<string, string>>,
  folder: string = root.pathname,
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const modules = `${root.pathname}node_modules`; // a copy has but a link to them
  const args = tasks.start.replace("-read=.", `-read=.,${modules}`)
    .replace("-ffi=./node_modules", `-ffi=${modules}`)
    .replace("deno run", ["deno run", ...flags].join(" "));
  const unset = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, ""]));
  // env(1) takes the variables that the command begins with, and becomes the process itself.
  const child = new Deno.Command("env", {
    args: args.split(" "),
    cwd: folder,
    env: {
      ...inherited("PATH", "HOME", "DENO_DIR"),
      ...unset,
      NO_COLOR: "1",
      PORT: "0",
      MAX_LAG_MS: "60000",
      DRAIN_TIMEOUT: "0",
      ...env,
    },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return followServer(child);
}

/** Reads along with a server that was started as `child`; `signal`: what sends a signal to it, if not `child.kill()`. */
export function followServer(
  child: Deno.ChildProcess,
  signal: (name: Deno.Signal) => void = (name) => child.kill(name),
): ServerProcess {
  let output = "";
  const log: LogEntry[] = [];
  const { promise: url, resolve, reject } = Promise.withResolvers<string>();
  url.catch(() => {}); // whoever only waits for the end does not ask for it
  const read = async (stream: ReadableStream<Uint8Array>, each: (line: string) => void) => {
    for await (const line of readLines(stream)) {
      output += `${line}\n`;
      each(line);
    }
  };
  const exit = Promise.all([
    child.status,
    read(child.stdout, (line) => void log.push(JSON.parse(line))),
    read(child.stderr, (line) => {
      const address = /^Repartee is at (\S+) /.exec(line)?.[1];
      if (address) resolve(address);
    }),
  ]).then(([{ code }]) => {
    reject(new Error(`the server ended with ${code}:\n${output}`));
    return code;
  });
  let ended = false;
  exit.finally(() => ended = true).catch(() => {}); // the owner of `exit` sees its failure
  const kill = (name: Deno.Signal) => {
    if (!ended) signal(name);
  };
  return {
    pid: child.pid,
    url,
    exit,
    get output() {
      return output;
    },
    log,
    kill,
    async [Symbol.asyncDispose]() {
      kill("SIGTERM");
      const timer = setTimeout(() => kill("SIGKILL"), endMs);
      await exit;
      clearTimeout(timer);
    },
  };
}

/** A copy of the server in a folder of its own, whose files a test may change. */
export async function copyServer(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  const parts = ["src", "routes", "agents", "main.ts", "server.ts", "deno.json", "deno.lock", "package.json"];
  const { success } = await new Deno.Command("cp", { args: ["-r", ...parts, folder], cwd: root }).output();
  if (!success) throw new Error(`the server could not be copied to ${folder}`);
  await Deno.symlink(new URL("node_modules", root), `${folder}/node_modules`);
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}
