/** Workers as processes: the command of `deno task start`, without the permission to start any. */
import { ConfigError, messageOf } from "../errors.ts";

export interface WorkerProcess {
  readonly pid: number;
  /** Settles with the exit code. */
  readonly exit: Promise<number>;
  /** Does nothing once it has ended. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Starts a process with those variables beside this one's; throws a ConfigError when that is not allowed. */
export type SpawnWorker = (env: Readonly<Record<string, string>>) => WorkerProcess;

const permission = "--allow-run=deno";
const settings = new URL("../../deno.json", import.meta.url);

/** Reads how workers are started from the tasks in deno.json: the one place that has Deno's flags. */
export async function workerSpawner(): Promise<SpawnWorker> {
  const { tasks } = JSON.parse(await Deno.readTextFile(settings));
  const mayRunAll = (await Deno.permissions.query({ name: "run" })).state === "granted";
  const words: string[] = tasks[mayRunAll ? "start:mcp" : "start"].split(" ");
  const flags = words.slice(words.indexOf("run") + 1, -1).filter((word) => word !== permission);
  // What the supervisor was started with is there: nothing is fetched.
  const args = ["run", "--cached-only", ...flags, new URL("../../main.ts", import.meta.url).pathname];
  return (env) => {
    const child = spawn(args, env);
    let over = false;
    return {
      pid: child.pid,
      exit: child.status.then(({ code }) => {
        over = true;
        return code;
      }),
      kill(signal) {
        if (!over) child.kill(signal);
      },
    };
  };
}

function spawn(args: string[], env: Record<string, string>): Deno.ChildProcess {
  try {
    return new Deno.Command("deno", { args, env, stdin: "null", stdout: "inherit", stderr: "inherit" })
      .spawn();
  } catch (error) {
    throw new ConfigError(`No worker can be started, which takes ${permission}: ${messageOf(error)}`);
  }
}
