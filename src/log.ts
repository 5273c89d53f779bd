/** Structured logs: one JSON object a line on standard output. */
import { pino, stdSerializers, stdTimeFunctions } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** `log.info({ roomName }, "joined")`; children carry their fields into every line. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

/** Fields that are never written, up to two levels deep: secrets are not passed in, and would not come out. */
const secrets = ["apiKey", "apiSecret", "authorization", "Authorization", "token", "password"];

/**
 * A logger. `error` fields are written with type, message and stack, their causes included, and nothing else that
 * libraries hang on their errors: that may be a request with its keys, or what somebody said. `write`: where the lines
 * go (default: standard output, synchronously, so that none is lost when the process ends).
 */
export function createLog(level: LogLevel, write?: (line: string) => void): Log {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: serializeError },
    redact: { paths: secrets.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "(hidden)" },
  };
  return write ? pino(options, { write }) : pino(options);
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack } = stdSerializers.err(error);
  return { type, message, stack };
}

/** A log that keeps nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
