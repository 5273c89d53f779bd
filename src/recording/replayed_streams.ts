/** What a recording says that providers brought, brought again. */
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Entry, Failure, Recording, Source } from "./recording.ts";

type StreamEntry = Extract<Entry, { readonly run: number }>;

/** One stream of a recording. */
export interface RecordedRun {
  readonly openedMs: number;
  /** The last of what the model was told. */
  readonly input?: string | undefined;
  /** What it brought and how it ended, in order. */
  readonly entries: readonly Exclude<StreamEntry, { type: "stream-opened" }>[];
}

/** The streams from `of`, by their numbers. */
export function runsOf({ entries }: Recording, of: Source): readonly RecordedRun[] {
  const runs: {
    openedMs: number;
    input: string | undefined;
    entries: Exclude<StreamEntry, { type: "stream-opened" }>[];
  }[] = [];
  for (const entry of entries) {
    if (!("run" in entry) || entry.of !== of) continue;
    const run = runs[entry.run] ??= {
      openedMs: entry.atMs,
      input: entry.type === "stream-opened" ? entry.input : undefined,
      entries: [],
    };
    if (entry.type !== "stream-opened") run.entries.push(entry);
  }
  return runs;
}

/**
 * Gives each run once: the first that `fits`. What was prepared in vain may be prepared once more, or once less, when it is
 * played again: then nothing does, and the others keep what is theirs.
 */
export function runPicker<T>(runs: readonly T[]): (fits: (run: T) => boolean) => T | undefined {
  const left = [...runs];
  return (fits) => {
    const at = left.findIndex(fits);
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
}

/**
 * Brings what `run` brought: at the times of the recording, `shiftMs` later. A run that is not in the recording brings
 * nothing. Aborting `signal` errors the stream with its reason.
 */
export function replayedStream<T extends object>(
  run: RecordedRun | undefined,
  { clock, signal, shiftMs, itemFrom }: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly shiftMs: number;
    readonly itemFrom: (item: unknown) => T;
  },
): ReadableStream<T> {
  const timers: Disposable[] = [];
  const stop = () => {
    for (const timer of timers) timer[Symbol.dispose]();
    signal.removeEventListener("abort", abort);
  };
  const out = liveStream<T>({ limit: Infinity, onCancel: stop });
  const abort = () => {
    stop();
    out.error(signal.reason);
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  for (const entry of signal.aborted ? [] : run?.entries ?? []) {
    timers.push(clock.after(entry.atMs + shiftMs - clock.now(), () => {
      if (entry.type === "stream-brought") return out.push(itemFrom(entry.item));
      stop();
      if (entry.type === "stream-ended") out.close();
      else out.error(errorFrom(entry.error));
    }));
  }
  return out.readable;
}

/** The failure that was recorded. */
export const errorFrom = ({ stage, message, retryable, refused }: Failure): StageError =>
  new StageError(stage, message, { retryable, refused });
