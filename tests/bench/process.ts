/**
 * What a process and those that it has started cost together (a server may be several), from Linux's /proc
 * (https://man7.org/linux/man-pages/man5/proc.5.html); elsewhere undefined.
 */

export interface Cost {
  /** `performance.now()` of the reading. */
  readonly atMs: number;
  /** Time on a core since they began, milliseconds. */
  readonly cpuMs: number;
  /** Proportional set size, and what of the resident one is in no file: MB. */
  readonly pssMb: number;
  readonly anonymousMb: number;
}

/** The kernel counts CPU time in ticks of 10 ms. */
const tickMs = 10;

/** Reads what the process `pid` has cost up to now. */
export async function readCost(pid: number): Promise<Cost | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const costs = await Promise.all((await familyOf(pid)).map(readOne));
  const sum = (of: (cost: Omit<Cost, "atMs">) => number) =>
    costs.reduce((sum, cost) => sum + (cost ? of(cost) : 0), 0);
  if (costs.every((cost) => cost === undefined)) return undefined;
  return {
    atMs: performance.now(),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    pssMb: sum(({ pssMb }) => pssMb),
    anonymousMb: sum(({ anonymousMb }) => anonymousMb),
  };
}

async function readOne(pid: number): Promise<Omit<Cost, "atMs"> | undefined> {
  // Deno itself reads /proc only with --allow-all.
  const text = await output("cat", `/proc/${pid}/stat`, `/proc/${pid}/smaps_rollup`);
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
  const pssMb = megabytes("Pss");
  if (Number.isNaN(pssMb)) return undefined; // it has ended
  const [userTicks, systemTicks] = [Number(fieldsOf(text)[11]), Number(fieldsOf(text)[12])];
  return { cpuMs: (userTicks + systemTicks) * tickMs, pssMb, anonymousMb: megabytes("Anonymous") };
}

/** The use of a core between two readings, percent. */
export function cpuPercent(from: Cost | undefined, to: Cost | undefined): number | undefined {
  return from && to && (to.cpuMs - from.cpuMs) / (to.atMs - from.atMs) * 100;
}

/** What the process `pid` holds now. */
export interface Handles {
  /** Open files, sockets included. */
  readonly files: number;
  readonly sockets: number;
  readonly threads: number;
}

/** Counts what the process `pid` holds. */
export async function readHandles(pid: number): Promise<Handles | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const pids = await familyOf(pid);
  const folders = (name: string) => pids.map((pid) => `/proc/${pid}/${name}`);
  const files = await output("ls", "-l", ...folders("fd"));
  const threads = await output("ls", "-l", ...folders("task"));
  const count = (lines: string, what: RegExp) => lines.split("\n").filter((line) => what.test(line)).length;
  return { files: count(files, / -> /), sockets: count(files, / -> socket:/), threads: count(threads, /^d/) };
}

/** The process, and all that it has started and they have. */
async function familyOf(pid: number): Promise<number[]> {
  const stats = (await output("sh", "-c", "cat /proc/[0-9]*/stat")).split("\n");
  const all = stats.map((line) => ({ pid: parseInt(line), parent: Number(fieldsOf(line)[1]) }));
  const family = [pid];
  for (const member of family) { // grows meanwhile
    family.push(...all.filter(({ parent }) => parent === member).map(({ pid }) => pid));
  }
  return family;
}

/** What of a process's `stat` follows its name: the name in parentheses may hold anything. */
const fieldsOf = (stat: string): string[] => (/\) (.*)/.exec(stat)?.[1] ?? "").split(" ");

async function output(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}
