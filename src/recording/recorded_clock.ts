/** How late a session's timers were on a machine that was busy: what came in meanwhile was taken in before them. */
import { type Clock, clockFrom } from "../clock.ts";
import type { Recorder } from "./recorder.ts";
import type { Entry } from "./recording.ts";

/** Timers are late by so much on any machine, in milliseconds. */
const usualMs = 1;
/** A recording's times are rounded. */
const roundingMs = 0.01;

/** The same clock; timers that fire late are written down, and those that are given up late. */
export function recordedClock(clock: Clock, recorder: Recorder): Clock {
  return clockFrom(clock.now, (ms, callback) => {
    const dueMs = clock.now() + ms;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      if (clock.now() - dueMs > usualMs) recorder.note({ type: "timer-late", dueMs: recorder.since(dueMs) });
    };
    const timer = clock.after(ms, () => {
      end();
      callback();
    });
    return () => {
      end();
      timer[Symbol.dispose]();
    };
  });
}

/**
 * The clock of a session that is played again, which has begun at 0: its timers are as late as they were. One that was not
 * set then is as late as the one that was due before it, if that had not fired by then.
 */
export function replayedClock(clock: Clock, entries: readonly Entry[]): Clock {
  const late = entries.filter((entry) => entry.type === "timer-late").toSorted((a, b) => a.dueMs - b.dueMs);
  return clockFrom(clock.now, (ms, callback) => {
    const dueMs = clock.now() + ms;
    const before = late.findLast((one) => one.dueMs <= dueMs + roundingMs);
    const lateMs = Math.max(0, (before?.atMs ?? 0) - dueMs);
    const timer = clock.after(ms + lateMs, callback);
    return () => timer[Symbol.dispose]();
  });
}
