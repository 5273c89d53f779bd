/** Signals to the supervisor are signals to its workers. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Fleet } from "./fleet.ts";

/** Soon after another it is the same one: a terminal's Ctrl-C is for every process, and `deno task` passes it on, too. */
const sameSignalMs = 500;
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** The first has the workers leave, and `end` is told; what follows they are told as well; the third ends everything. */
export function passSignalsOn(
  { fleet, end, clock, log }: {
    readonly fleet: Pick<Fleet, "kill">;
    readonly end: (code: number) => Promise<never>;
    readonly clock: Clock;
    readonly log: Log;
  },
): void {
  let count = 0;
  let lastMs = -Infinity;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (clock.now() - lastMs <= sameSignalMs) return;
      lastMs = clock.now();
      log.info({ signal }, "shutting down");
      if (++count === 1) void end(0);
      else if (count === 2) fleet.kill("SIGTERM");
      else {
        fleet.kill("SIGKILL");
        Deno.exit(codes[signal]);
      }
    });
  }
}
