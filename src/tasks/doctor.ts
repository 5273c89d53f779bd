/** `deno task doctor`: looks at all that a call needs, and says what is wrong with it and what to do about it. */
import { systemClock as clock } from "../clock.ts";
import { loadConfig, secretsIn } from "../config.ts";
import { asText, type Checked, failed, isWell, runChecks } from "../doctor/check.ts";
import { readEnvironment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import { addressOf, argumentsOf, runTask } from "./task.ts";

await runTask(async () => {
  const { values } = argumentsOf({
    usage: "deno task doctor [--json]",
    options: { json: { type: "boolean", default: false } },
    min: 0,
    max: 0,
  });
  const checked = await examine();
  const well = isWell(checked);
  console.log(values.json ? JSON.stringify({ ok: well, checks: checked }, null, 2) : asText(checked));
  Deno.exit(well ? 0 : 1); // native code and requests that were given up would keep the process
});

async function examine(): Promise<Checked[]> {
  try {
    const config = loadConfig(await readEnvironment());
    // Imported here, since some of it does not even load without its permissions.
    const [{ agents }, { checksFor }] = await Promise.all([
      import("../../agents/mod.ts"),
      import("../doctor/doctor.ts"),
    ]);
    const checks = checksFor({ config, agents, address: addressOf(config), clock });
    return await runChecks(checks, { secrets: secretsIn(config), clock });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [{ name: "permissions", ...failed(error.message) }];
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((text) => ({ name: "configuration", ...failed(text) }));
  }
}
