/** A clock that runs faster than the machine's: minutes of waiting on real sockets in seconds. */
import { type Clock, clockFrom } from "../../src/clock.ts";

/** A Clock on which `times` milliseconds pass in each of the machine's. */
export function fastClock(times: number): Clock {
  return clockFrom(() => performance.now() * times, (ms, callback) => {
    const id = setTimeout(callback, ms / times);
    return () => clearTimeout(id);
  });
}
