/** How the process is: whether its event loop keeps up, its memory, its time on the processor, and what it runs on. */
import process from "node:process";
import { Counter, type Registry } from "prom-client";
import { type Clock, wallTime } from "../clock.ts";
import { gauge } from "./prometheus.ts";

/** How often the event loop's lag is measured, and over how long a time it is told. */
const measureEveryMs = 50;
const toldOverMs = 60_000;

/** Registers the metrics; disposed, nothing is measured any more. */
export function measureProcess(registry: Registry, clock: Clock): Disposable {
  const lag = measureLag(clock);
  const help = `How late timers of the last ${toldOverMs / 1000} seconds were: audio is late by as much.`;
  gauge(registry, "event_loop_lag_seconds", help, ["quantile"], (late) => {
    const [median, p99, max] = lag.quantilesMs([0.5, 0.99, 1]);
    for (const [quantile, ms = 0] of [["0.5", median], ["0.99", p99], ["1", max]] as const) {
      late.set({ quantile }, ms / 1000);
    }
  }, "max");
  gauge(registry, "memory_bytes", "Memory of the process, and of its JavaScript.", ["kind"], (memory) => {
    const { rss, heapTotal, heapUsed, external } = Deno.memoryUsage();
    memory.set({ kind: "rss" }, rss);
    memory.set({ kind: "heap_total" }, heapTotal);
    memory.set({ kind: "heap_used" }, heapUsed);
    memory.set({ kind: "external" }, external);
  });
  new Counter({
    name: "repartee_cpu_seconds_total",
    help: "Time on the processor since the start.",
    labelNames: ["mode"],
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage(); // microseconds
      this.reset();
      this.inc({ mode: "user" }, user / 1e6);
      this.inc({ mode: "system" }, system / 1e6);
    },
  });
  gauge(registry, "start_time_seconds", "When the server was started, since 1970.", [], undefined, "min").set(
    wallTime() / 1000,
  );
  gauge(registry, "build_info", "What the server runs on; always 1.", ["deno", "v8"], undefined, "first")
    .set({ deno: Deno.version.deno, v8: Deno.version.v8 }, 1);
  return lag;
}

export interface LagMeter extends Disposable {
  /** Of the last measurements, milliseconds; 0 before there is one. */
  quantilesMs(quantiles: readonly number[]): number[];
}

/**
 * Sets a timer again and again, and measures how late it comes: something else held the event loop meanwhile. `overMs`:
 * how long measurements count (default: a minute).
 */
export function measureLag(
  clock: Clock,
  { overMs = toldOverMs }: { readonly overMs?: number } = {},
): LagMeter {
  /** A ring: the oldest is overwritten. */
  const late = new Float64Array(overMs / measureEveryMs);
  let count = 0;
  let timer: Disposable;
  const measure = () => {
    const dueMs = clock.now() + measureEveryMs;
    timer = clock.after(measureEveryMs, () => {
      late[count++ % late.length] = Math.max(0, clock.now() - dueMs);
      measure();
    });
  };
  measure();
  return {
    quantilesMs(quantiles) {
      const sorted = late.slice(0, count).sort();
      return quantiles.map((quantile) => sorted[Math.ceil(quantile * sorted.length) - 1] ?? 0);
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}
