/** The process: its configuration, and what it runs by it. */
import { loadConfig } from "./src/config.ts";
import { readEnvironment } from "./src/environment.ts";
import { ConfigError } from "./src/errors.ts";
import { serve } from "./server.ts";

try {
  await serve(loadConfig(await readEnvironment()));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`Repartee cannot start:\n${error.message.replaceAll(/^/gm, "  - ")}`);
  Deno.exit(1);
}
