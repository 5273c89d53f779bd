/** How the process bears what it does: the event loop's lag and the memory, and how much of either there may be. */
import process from "node:process";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { type LagMeter, measureLag } from "../telemetry/process_metrics.ts";

export interface Strain {
  /** How late timers are, the 99th percentile of the last 10 s, milliseconds: sound is late by as much. */
  readonly lagMs: number;
  readonly maxLagMs: number;
  /** The resident set, bytes. */
  readonly rssBytes: number;
  readonly maxRssBytes: number;
}

export interface StrainOptions {
  readonly maxLagMs: number;
  /** Default: 85 % of what the process may have. */
  readonly maxRssBytes?: number | undefined;
  readonly clock: Clock;
}

const measuredOverMs = 10_000;
/** The rest is for what the calls there are need yet, and what the kernel counts beside the resident set. */
const usable = 0.85;

/** Measures from the first look on, so that a server's start does not count; disposed, no more. */
export function measureStrain(
  { maxLagMs, maxRssBytes = usableBytes(), clock }: StrainOptions,
): Strain & Disposable {
  let lag: LagMeter | undefined;
  return {
    get lagMs() {
      lag ??= measureLag(clock, { overMs: measuredOverMs });
      const [p99 = 0] = lag.quantilesMs([0.99]);
      return p99;
    },
    maxLagMs,
    get rssBytes() {
      return Deno.memoryUsage().rss;
    },
    maxRssBytes,
    [Symbol.dispose]: () => lag?.[Symbol.dispose](),
  };
}

/** What memory may be used, bytes: of what the process may have, 85 %. Throws as `memoryBytes` does. */
export const usableBytes = (): number => usable * memoryBytes();

/**
 * What memory the process may have, bytes: its control group's limit, or all there is. Deno reads it for us with
 * `--allow-sys=systemMemoryInfo`, and files in /sys with --allow-all only. Throws a ConfigError without that permission.
 */
export function memoryBytes(): number {
  try {
    return Math.min(process.constrainedMemory() || Infinity, Deno.systemMemoryInfo().total);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new ConfigError(
      "How much memory there is cannot be read; expected --allow-sys=systemMemoryInfo, or MAX_RSS_MB",
    );
  }
}
