/** What is given behind `--`: `--runs=100000`, `--seed=11`. */
export const given = (name: string): string | undefined =>
  Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];

/** The same calls each time, unless more are asked for: what fails in the suite fails again. */
export const seed = Number(
  given("seed") ?? (given("runs") === undefined ? 20_260_901 : Date.now() % 2 ** 31),
);
