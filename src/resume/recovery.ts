/** Sessions whose process is gone: found by their claims, which have lapsed, and gone on with here. */
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { Leases } from "../dispatch/leases.ts";
import type { Rooms } from "../dispatch/rooms.ts";
import type { Store } from "../dispatch/store/store.ts";
import type { Log } from "../log.ts";
import type { Checkpoints, Started } from "./checkpoints.ts";
import type { Offers } from "./offers.ts";
import { watch } from "./watch.ts";

/** What became of a session that was found without its process. */
export type RecoveryOutcome = "resumed" | "over" | "failed";

type Which = Pick<Started, "roomSid" | "agent">;

export interface RecoveryOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "refusal">;
  readonly store: Pick<Store, "reachableMs">;
  readonly leases: Pick<Leases, "leftMs">;
  readonly checkpoints: Pick<Checkpoints, "list" | "find" | "remove">;
  /** Who has accepted a session goes on with it, whatever becomes of its process. */
  readonly offers: Pick<Offers, "taker">;
  readonly rooms: Pick<Rooms, "find">;
  readonly onOutcome?: ((outcome: RecoveryOutcome) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is looked for them, at least: a claim that is about to lapse is looked at when it does. Milliseconds. */
const lookMs = 500;
/** One that could not be gone on with is tried again so much later. */
const againMs = 3_000;
/** One of which cannot be read what is kept, perhaps since another version of Repartee wrote it. */
const unreadableMs = 60_000;
/** When the store is there again, those that live have so long to find it, and to renew their claims. */
const renewalMs = 5_000;
/** A process that has no place leaves a session to others for so long; then it takes it beyond its places. */
const patienceMs = 2_000;
/** A session that ends the process it is in, over and over, is given up. */
const mostResumptions = 5;

/** Looks for them from now on, while this process takes calls. Disposing of it ends that. */
export function startRecovery(
  { dispatcher, store, leases, checkpoints, offers, rooms, onOutcome, clock, log }: RecoveryOptions,
): AsyncDisposable {
  /** When those may be tried again that have failed (clock milliseconds). */
  const paused = new Map<string, number>();
  /** Since when those have had no claim that had none when it was looked last (clock milliseconds). */
  let unclaimed: ReadonlyMap<string, number> = new Map();
  const pause = ({ roomSid, agent }: Which, ms: number) =>
    void paused.set(JSON.stringify([roomSid, agent]), clock.now() + ms);

  const goOnWith = async (
    { roomSid, agent }: Which,
    { isLastResort }: { readonly isLastResort: boolean },
  ): Promise<void> => {
    const left = await checkpoints.find(roomSid, agent);
    if (!left) return pause({ roomSid, agent }, unreadableMs);
    const { sessionId, room, metadata, participant, resumptions } = left;
    const about = { sessionId, room, roomSid, agent };
    const now = await rooms.find(room);
    const isOver = now?.sid !== roomSid;
    if (isOver || resumptions >= mostResumptions) {
      if (!isOver) log.error(about, "a session has ended its process over and over: it is given up");
      await checkpoints.remove(roomSid, agent);
      return onOutcome?.("over");
    }
    if (now.participants.every(({ canTalk }) => !canTalk)) return pause(about, againMs); // they may return
    const wanted = { room, roomSid, agent, metadata, left, isLastResort };
    const result = await dispatcher.dispatch({
      ...wanted,
      ...(participant !== undefined && { participant }),
    });
    if (result.type === "full" || result.type === "draining") return; // another takes it, or this one later
    if (result.type === "created") {
      log.warn(about, "the process of a session was gone: it goes on");
      return onOutcome?.("resumed");
    }
    if ("session" in result) return; // it has gone on elsewhere
    log.error({ ...about, ...result }, "a session could not be gone on with");
    pause(about, againMs);
    onOutcome?.("failed");
  };

  const lookAt = async (all: readonly Which[]): Promise<number> => {
    let nextMs = lookMs;
    const still = new Map<string, number>();
    await Promise.all(all.map(async (one) => {
      const { roomSid, agent } = one;
      const key = JSON.stringify([roomSid, agent]);
      if ((paused.get(key) ?? 0) > clock.now()) return;
      paused.delete(key);
      try {
        const leftMs = await leases.leftMs(roomSid, agent);
        if (leftMs > 0) return void (nextMs = Math.min(nextMs, leftMs));
        if (await offers.taker(one)) return;
        const sinceMs = unclaimed.get(key) ?? clock.now();
        still.set(key, sinceMs);
        const isLastResort = clock.now() - sinceMs >= patienceMs;
        if (isLastResort || !dispatcher.refusal) await goOnWith(one, { isLastResort });
      } catch (error) {
        log.warn({ ...one, error }, "it is not known whether the process of a session is gone");
        pause(one, againMs);
      }
    }));
    unclaimed = still;
    return nextMs;
  };

  return watch({
    async look() {
      if (dispatcher.refusal?.type === "draining" || store.reachableMs < renewalMs) return lookMs;
      return await lookAt(await checkpoints.list());
    },
    failure: "it cannot be looked for sessions whose process is gone",
    againMs: lookMs,
    clock,
    log,
  });
}
