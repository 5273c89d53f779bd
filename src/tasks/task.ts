/** What the tasks of the command line have in common: their arguments, the configuration, and how they fail. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { type Config, type LiveKitConfig, loadConfig } from "../config.ts";
import { readEnvironment } from "../environment.ts";
import { ConfigError, messageOf } from "../errors.ts";

/** Runs a task. What the user got wrong, a ConfigError, is said in its words alone; the process exits with 1 then. */
export async function runTask(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

/** The command line's arguments; throws a ConfigError with `usage` when they are not between `min` and `max` many. */
export function argumentsOf<T extends ParseArgsOptionsConfig>(
  { usage, options, min, max }: {
    readonly usage: string;
    readonly options: T;
    readonly min: number;
    readonly max: number;
  },
) {
  const { values, positionals } = parsed(usage, options);
  if (positionals.length < min || positionals.length > max || positionals.includes("")) {
    throw new ConfigError(`Expected: ${usage}`);
  }
  return { values, positionals };
}

function parsed<T extends ParseArgsOptionsConfig>(usage: string, options: T) {
  try {
    return parseArgs({ args: Deno.args, options, allowPositionals: true });
  } catch (error) {
    throw new ConfigError(`${messageOf(error)}. Expected: ${usage}`);
  }
}

/** The server's own configuration, which must have LiveKit's keys. */
export async function liveKitConfig(): Promise<Config & { readonly livekit: LiveKitConfig }> {
  const { livekit, ...config } = loadConfig(await readEnvironment());
  if (!livekit) {
    throw new ConfigError(
      "LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set; expected those of the running server, " +
        "in the environment or in .env.",
    );
  }
  return { livekit, ...config };
}

/** Where a server of this configuration is asked from this machine. */
export function addressOf({ http: { host, port } }: Pick<Config, "http">): string {
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host.replace(/.*:.*/, "[$&]");
  return `http://${name}:${port}`;
}
