/** What processes share that take calls together, and a process with the one that is started after it. */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { createCheckpoints } from "../resume/checkpoints.ts";
import { createOffers } from "../resume/offers.ts";
import { startRecovery } from "../resume/recovery.ts";
import { startTakeOvers, type TakeOverOptions } from "../resume/take_over.ts";
import type { SessionArchive } from "../telemetry/archive.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Dispatcher, Shared } from "./dispatcher.ts";
import { createLeases } from "./leases.ts";
import type { Rooms } from "./rooms.ts";
import { createSharedTombstones } from "./shared_tombstones.ts";
import { fileStore } from "./store/files.ts";
import type { Store } from "./store/store.ts";

/** The store that `config` names; Redis is loaded only where there is one. Rejects with a ConfigError. */
export async function openStore(
  { redisUrl: url, stateFolder: folder }: Pick<Config, "redisUrl" | "stateFolder">,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Store | undefined> {
  if (folder !== undefined) return await fileStore({ folder, clock });
  if (url === undefined) return undefined;
  const { redisStore } = await import("./store/redis.ts");
  return redisStore({ url, clock, log });
}

export interface SharingOptions {
  readonly store: Store;
  readonly rooms: Rooms;
  /** The names in the registry. */
  readonly agents: readonly string[];
  readonly archive: Pick<SessionArchive, "find">;
  readonly metrics: Pick<Metrics, "counter">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Claims, and what is kept of sessions, in the store. */
export function shareClaims(options: SharingOptions): Shared {
  const { store, agents, archive, metrics, log } = options;
  const tombstones = createSharedTombstones({ store, agents });
  const count = metrics.counter("claims", "Claims among several processes, by what became of them.", [
    "outcome",
  ]);
  const leases = createLeases({ ...options, tombstones, onOutcome: (outcome) => count({ outcome }) });
  const sumsOf = (sessionId: string) => archive.find(sessionId)?.sums();
  return {
    leases,
    tombstones,
    checkpoints: createCheckpoints({ store, sumsOf, log }),
    offers: createOffers(store),
  };
}

/** Goes on with sessions whose process is gone, or hands them over, from now on until it is disposed of. */
export function recoverSessions(
  { metrics, ...options }:
    & Omit<SharingOptions, "archive">
    & Pick<Shared, "leases" | "checkpoints" | "offers">
    & { readonly dispatcher: Dispatcher; readonly standBy: TakeOverOptions["standBy"] },
): AsyncDisposable {
  const count = metrics.counter("recoveries", "Sessions whose process was gone, by what became of them.", [
    "outcome",
  ]);
  const all = [
    startRecovery({ ...options, onOutcome: (outcome) => count({ outcome }) }),
    startTakeOvers(options),
  ];
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
