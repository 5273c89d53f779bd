/** A worker of LiveKit's, with what makes good the dispatches that LiveKit loses. */
import type { Clock } from "../../clock.ts";
import type { LiveKitConfig } from "../../config.ts";
import type { Log } from "../../log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { automaticDispatches } from "../automatic.ts";
import type { Dispatcher, Shared } from "../dispatcher.ts";
import { createRepairs } from "../repairs.ts";
import type { Rooms } from "../rooms.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { createWorker, retriesNothing, type Worker } from "./worker.ts";

export interface MendedWorkerOptions {
  readonly livekit: LiveKitConfig;
  readonly dispatcher: Dispatcher;
  readonly rooms: Rooms;
  /** The names in the registry. */
  readonly agents: readonly string[];
  /** The agent of rooms that name none. */
  readonly autoAgent: string | undefined;
  /** Rooms that others send agents to. */
  readonly isOthers: (room: string) => boolean;
  /** What is shared with other processes, where there are such. */
  readonly store: Store | undefined;
  readonly shared: Shared | undefined;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Registers with LiveKit at once, and repairs as soon as that is known to be needed; both end when it is disposed of. */
export function startMendedWorker(
  { store, shared, metrics, ...facts }: MendedWorkerOptions,
): Pick<Worker, "report"> & AsyncDisposable {
  const automatic = automaticDispatches({ ...facts, presence: facts.dispatcher.presence });
  const repairs = createRepairs({
    ...facts,
    automatic,
    store: store ?? memoryStore(facts),
    claimed: shared?.leases.claimed,
    onRepair: metrics.counter("dispatch_repairs", "Dispatches that LiveKit had lost.", ["outcome"]),
  });
  const worker = createWorker({
    ...facts,
    automatic,
    onJob: metrics.counter("livekit_jobs", "Jobs that LiveKit offered.", ["agent", "outcome"]),
    onRegistered: (answer) => retriesNothing(answer) && repairs.start(),
  });
  metrics.gauge("livekit_registrations", "Names registered with LiveKit.", () => worker.registered);
  return {
    report: worker.report,
    async [Symbol.asyncDispose]() {
      worker[Symbol.dispose]();
      await repairs[Symbol.asyncDispose]();
    },
  };
}
