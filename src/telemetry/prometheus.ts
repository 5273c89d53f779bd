/** What metrics are made of: prom-client's types, named and bounded as ours are. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** A counter `repartee_<name>_total` in `registry`. */
export function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
): Counter<Label> {
  return new Counter({
    name: `repartee_${name}_total`,
    help,
    labelNames: [...labelNames],
    registers: [registry],
  });
}

/** How several processes' values are one; a counter and a histogram are summed up. */
export type Together = "sum" | "max" | "min" | "first";

/** A gauge `repartee_<name>` in `registry`; `collect` sets it when it is read. */
export function gauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  collect?: (gauge: Gauge<Label>) => void,
  together: Together = "sum",
): Gauge<Label> {
  return new Gauge({
    name: `repartee_${name}`,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    aggregator: together,
    ...(collect && {
      collect() {
        collect(this);
      },
    }),
  });
}

/** A histogram `repartee_<name>` in `registry`; `buckets`: their upper bounds, in the metric's unit. */
export function histogram<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  buckets: readonly number[],
): Histogram<Label> {
  return new Histogram({
    name: `repartee_${name}`,
    help,
    labelNames: [...labelNames],
    buckets: [...buckets],
    registers: [registry],
  });
}

/** Tells the first `limit` values of each label apart; those that come later are "other". */
export function atMost(limit: number): (label: string, value: string) => string {
  const seen = new Map<string, Set<string>>();
  return (label, value) => {
    const values = seen.get(label) ?? new Set();
    seen.set(label, values);
    if (values.has(value)) return value;
    if (values.size >= limit) return "other";
    values.add(value);
    return value;
  };
}
