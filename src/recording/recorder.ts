/** Writes down what happens in one session. */
import type { Clock } from "../clock.ts";
import { asStageError, type Stage, StageError } from "../errors.ts";
import type { EntryBody, Failure, Header, Source } from "./recording.ts";

/** Takes lines; it never fails, blocks or throws. */
export interface Lines {
  /** Whether it took the line. */
  write(line: string): boolean;
  /** No more lines come. */
  close(): void;
}

export interface Recorder {
  /** Milliseconds since the session began. */
  now(): number;
  /** A time of the session's clock as milliseconds since it began. */
  since(clockMs: number): number;
  /** Writes that down, with the time. */
  note(body: EntryBody): void;
  /** The number of the next stream from `of`, or task. */
  next(of: Source | "task"): number;
  /** Nothing more comes. */
  end(): void;
}

/** A recorder whose time begins now, with its header written. */
export function createRecorder(header: Header, lines: Lines, clock: Clock): Recorder {
  const beganMs = clock.now();
  const runs = new Map<Source | "task", number>();
  let over = false;
  const now = () => clock.now() - beganMs;
  let lost = 0;
  const write = (line: unknown) => {
    if (!lines.write(`${JSON.stringify(line, plain)}\n`)) return void lost++;
    if (lost === 0) return;
    const count = lost;
    lost = 0;
    write({ atMs: now(), type: "lines-lost", count });
  };
  const note = (body: EntryBody) => {
    if (!over) write({ atMs: now(), ...body });
  };
  write(header);
  return {
    now,
    since: (clockMs) => clockMs - beganMs,
    note,
    next(of) {
      const run = runs.get(of) ?? 0;
      runs.set(of, run + 1);
      return run;
    },
    end() {
      note({ type: "end" });
      over = true;
      lines.close();
    },
  };
}

/** What is known of a failure when it is played again. */
export function failureOf(stage: Stage, error: unknown): Failure {
  const { message, retryable, refused, stage: own } = asStageError(stage, error);
  return { stage: own, message, retryable, refused };
}

/** JSON has no Infinity and needs no millionths of a millisecond. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof StageError) return { stage: value.stage, message: value.message };
  if (typeof value !== "number") return value;
  if (value === Infinity) return Number.MAX_SAFE_INTEGER;
  return Number.isInteger(value) ? value : Math.round(value * 1000) / 1000;
}
