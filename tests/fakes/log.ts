import type { Log } from "../../src/log.ts";

export { silentLog } from "../../src/log.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A log that keeps its lines, those of its children too, in `lines`. */
export function fakeLog(
  lines: LogLine[] = [],
  bound: Record<string, unknown> = {},
): Log & { readonly lines: LogLine[] } {
  const at = (level: LogLine["level"]) => (fields: Record<string, unknown>, message: string) => {
    lines.push({ level, fields: { ...bound, ...fields }, message });
  };
  return {
    lines,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => fakeLog(lines, { ...bound, ...fields }),
  };
}
