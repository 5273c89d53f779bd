/** `deno task doctor` as a process of its own. */
import { environment } from "../../src/environment.ts";
import type { Checked } from "../../src/doctor/check.ts";

export interface Examination {
  readonly code: number;
  /** What was printed, to both outputs. */
  readonly output: string;
  /** With `--json`, what was found. */
  readonly checks: readonly Checked[];
}

export interface DoctorRun {
  /** Flags of Deno's that it goes without. */
  readonly without?: readonly string[];
  readonly json?: boolean;
}

/**
 * Runs it, with `--json` unless that is false; it sees no other variables of the server's. Once more where something was not in
 * time, as happens on a machine that runs many tests.
 */
export async function runDoctor(
  env: Readonly<Record<string, string>>,
  options: DoctorRun = {},
): Promise<Examination> {
  for (let attempt = 1;; attempt++) {
    const examination = await run(env, options);
    if (attempt === 5 || !/within \d s:/.test(examination.output)) return examination;
  }
}

async function run(
  env: Readonly<Record<string, string>>,
  { without = [], json = true }: DoctorRun,
): Promise<Examination> {
  const root = new URL("../..", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const words: string[] = tasks.doctor.split(" ");
  const unset = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, ""]));
  // env(1) takes the variables that the command begins with.
  const { code, stdout, stderr } = await new Deno.Command("env", {
    args: [
      ...words.filter((word) => !without.some((flag) => word.startsWith(flag))),
      ...json ? ["--json"] : [],
    ],
    cwd: root,
    env: { ...unset, NO_COLOR: "1", ...env },
  }).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const checks = json && out ? JSON.parse(out).checks : [];
  return { code, output: `${out}${error}`, checks };
}
