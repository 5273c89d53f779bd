/** Structured logs: one JSON object a line on standard output. */
import { pino } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** `log.info({ roomName }, "joined")`; children carry their fields into every line. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

/** A logger on standard output. `error` fields are written with message, stack and cause; secrets are never passed in. */
export function createLog(level: LogLevel): Log {
  return pino({ level, base: null, errorKey: "error", timestamp: pino.stdTimeFunctions.isoTime });
}
