/** What a process costs, from Linux's /proc (https://man7.org/linux/man-pages/man5/proc.5.html); elsewhere undefined. */

export interface Cost {
  /** `performance.now()` of the reading. */
  readonly atMs: number;
  /** Time on a core since the process began, milliseconds. */
  readonly cpuMs: number;
  /** Proportional and resident set size, MB. */
  readonly pssMb: number;
  readonly rssMb: number;
}

/** The kernel counts CPU time in ticks of 10 ms. */
const tickMs = 10;

/** Reads what the process `pid` has cost up to now. */
export async function readCost(pid: number): Promise<Cost | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const files = [`/proc/${pid}/stat`, `/proc/${pid}/smaps_rollup`];
  // Deno itself reads /proc only with --allow-all.
  const { success, stdout } = await new Deno.Command("cat", { args: files, stderr: "null" }).output();
  if (!success) return undefined;
  const text = new TextDecoder().decode(stdout);
  // The name in parentheses may hold anything; what follows it begins with the third field.
  const fields = (/\) (.*)/.exec(text)?.[1] ?? "").split(" ");
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
  return {
    atMs: performance.now(),
    cpuMs: (userTicks + systemTicks) * tickMs,
    pssMb: megabytes("Pss"),
    rssMb: megabytes("Rss"),
  };
}

/** The use of a core between two readings, percent. */
export function cpuPercent(from: Cost | undefined, to: Cost | undefined): number | undefined {
  return from && to && (to.cpuMs - from.cpuMs) / (to.atMs - from.atMs) * 100;
}

/** What the process `pid` holds now. */
export interface Handles {
  /** Open files and sockets. */
  readonly files: number;
  readonly threads: number;
}

/** Counts what the process `pid` holds. */
export async function readHandles(pid: number): Promise<Handles | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const args = ["-c", `ls /proc/${pid}/fd | wc -l; ls /proc/${pid}/task | wc -l`];
  const { stdout } = await new Deno.Command("sh", { args, stderr: "null" }).output();
  const [files = NaN, threads = NaN] = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  return { files, threads };
}
