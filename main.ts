/** The process: the server, or, for WORKERS of them, their supervisor. */
import { parseArgs } from "node:util";
import { type Config, loadConfig } from "./src/config.ts";
import { readEnvironment, startNoPrograms, type SupervisorAddress, supervisorIn } from "./src/environment.ts";
import { ConfigError, messageOf } from "./src/errors.ts";

try {
  const env = { ...await readEnvironment(), ...given(Deno.args) };
  const supervisor = supervisorIn(env);
  await start(loadConfig(env), supervisor);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`Repartee cannot start:\n${error.message.replaceAll(/^/gm, "  - ")}`);
  Deno.exit(1);
}

async function start(config: Config, supervisor: SupervisorAddress | undefined): Promise<void> {
  // Each is loaded where it is needed alone.
  if (config.workers > 1 && !supervisor) {
    const { supervise } = await import("./src/supervisor/supervisor.ts");
    return await supervise(config);
  }
  // Nobody but a supervisor starts processes of Deno.
  await Deno.permissions.revoke({ name: "run", command: "deno" });
  await startNoPrograms();
  const { serve } = await import("./server.ts");
  await serve(config, supervisor);
}

/** What the command line says in place of the environment. */
function given(args: readonly string[]): { readonly WORKERS?: string } {
  try {
    const { values } = parseArgs({ args: [...args], options: { "num-workers": { type: "string" } } });
    const { "num-workers": workers } = values;
    return workers === undefined ? {} : { WORKERS: workers };
  } catch (error) {
    throw new ConfigError(`${messageOf(error)}; expected --num-workers and a number, or nothing`);
  }
}
