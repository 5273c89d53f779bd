/** A clock that runs faster than the machine's, and slower when the machine is busy: minutes of waiting on real sockets in seconds. */
import { type Clock, clockFrom } from "../../src/clock.ts";

/** How often the clock is moved, and by how much at the most; milliseconds of the machine's, and of its own. */
const tickMs = 2;
const mostMs = 40;

/**
 * A Clock on which at most `times` milliseconds pass in each of the machine's. It moves between turns of the event loop: what
 * holds the loop up holds the time up as well, for both ends of a socket.
 */
export function fastClock(times: number): Clock {
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  let nowMs = 0;
  let movedMs = 0;
  let ticking = false;

  const moveLater = () => {
    ticking = timers.size > 0;
    if (ticking) setTimeout(move, tickMs);
  };
  const move = () => {
    const machineMs = performance.now();
    nowMs += Math.min((machineMs - movedMs) * times, mostMs);
    movedMs = machineMs;
    const due = [...timers].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) if (timers.delete(timer)) timer.callback();
    moveLater();
  };
  return clockFrom(() => nowMs, (ms, callback) => {
    const timer = { atMs: nowMs + ms, callback };
    timers.add(timer);
    if (!ticking) {
      movedMs = performance.now();
      moveLater();
    }
    return () => void timers.delete(timer);
  });
}
