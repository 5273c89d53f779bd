/** Claims that several processes share: of those that want an agent in a room, on whatever machine, one may start it. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { DispatchedSession } from "./dispatcher.ts";
import { type Claimed, type HeldSession, readClaimed } from "./held.ts";
import { type Hold, holdLease, type HoldOptions, leaseMs, renewMs, type TakenLease } from "./hold.ts";
import type { Rooms } from "./rooms.ts";
import { sessionIdFrom } from "./session_id.ts";
import type { SharedTombstones } from "./shared_tombstones.ts";
import { type Fence, type Store, StoreError } from "./store/store.ts";

/** What became of an attempt to take a claim, or of one that was held. */
export type ClaimOutcome = "taken" | "held" | "left" | "lost";

export type TakenClaim =
  | { readonly type: "taken"; readonly lease: TakenLease }
  /** Another process has the session. */
  | { readonly type: "held"; readonly by: HeldSession };

export interface Leases {
  /** The sessions that have the claims of that room, whichever process they are in. Rejects with a StoreError. */
  of(roomSid: string): Promise<readonly HeldSession[]>;
  /** Whether any process has the claim of that room for that agent. Rejects with a StoreError. */
  claimed(roomSid: string, agent: string): Promise<boolean>;
  /** How long it has it unless it renews it, in milliseconds; 0 when none has it. Rejects with a StoreError. */
  leftMs(roomSid: string, agent: string): Promise<number>;
  /**
   * Takes the claim of that room for `session`, or tells whose it is. Rejects with a StoreError, or as `Rooms` does.
   * `isOwn`: whether a session is this process's.
   */
  take(
    roomSid: string,
    session: HeldSession,
    isOwn: (sessionId: string) => boolean,
  ): Promise<TakenClaim>;
  /**
   * Takes the claim for who was given its session, if nobody holds it by now, or `holder` does without having been told.
   * Rejects with a StoreError.
   */
  takeNext(roomSid: string, session: HeldSession, holder: string): Promise<TakenLease | undefined>;
  /** Holds what was taken. */
  hold(
    options: Pick<HoldOptions, "lease" | "describe" | "isAlone" | "log"> & { readonly roomSid: () => string },
  ): Hold;
  /** Gives up what was taken and is not needed. Never rejects. */
  drop(lease: Fence): Promise<void>;
  /**
   * Whether the agent of another process's session comes; pending for as long as that is open. Rejects with a
   * StoreError, or with the signal's reason.
   */
  arrival(roomSid: string, session: DispatchedSession, signal: AbortSignal): Promise<"joined" | "failed">;
}

export interface LeasesOptions {
  readonly store: Store;
  /** Whose there can be. */
  readonly agents: readonly string[];
  readonly rooms: Pick<Rooms, "participants" | "remove">;
  readonly tombstones: Pick<SharedTombstones, "of" | "clear">;
  readonly onOutcome?: ((outcome: ClaimOutcome) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * How long the session that is found in a room without a claim may take to take it again, longer than it takes a live one;
 * and when the store was not there for all lately, which each finds again in its own time; milliseconds.
 */
const answerMs = { usually: renewMs + 250, lately: 5_000 };
/** How often it is looked whether it has, and whether another has decided; milliseconds. */
const pollMs = 50;

export function createLeases(
  { store, agents, rooms, tombstones, onOutcome, clock, log }: LeasesOptions,
): Leases {
  const keyOf = (roomSid: string, agent: string) => `claim:${JSON.stringify([roomSid, agent])}`;

  const drop = async ({ key, token }: Fence): Promise<void> => {
    try {
      await store.release(key, token);
    } catch (error) {
      log.warn({ error, key }, "a claim could not be given up: it lapses");
    }
  };

  /** The agents of that name in the room that are other sessions', which have not ended as far as is known. */
  const strangers = async (
    roomSid: string,
    { room, agent, sessionId: own }: HeldSession,
    isOwn: (sessionId: string) => boolean,
  ): Promise<readonly { readonly sessionId: string; readonly identity: string }[]> => {
    const there = (await rooms.participants(room)).flatMap(({ identity, agentName }) => {
      const sessionId = sessionIdFrom(identity);
      return sessionId === undefined || sessionId === own || agentName !== agent || isOwn(sessionId)
        ? []
        : [{ sessionId, identity }];
    });
    if (there.length === 0) return [];
    const ended = (await tombstones.of(roomSid)).map(({ sessionId }) => sessionId);
    return there.filter(({ sessionId }) => !ended.includes(sessionId));
  };

  /** Holds what was taken for as long as `work` takes, which may be longer than a claim is held. */
  const renewWhile = async <T>({ key, token }: Fence, work: Promise<T>): Promise<T> => {
    let timer: Disposable | undefined;
    const wait = () => {
      timer = clock.after(renewMs, () => {
        store.renew(key, token, leaseMs).catch(() => {}); // before it is used it is asked for once more
        wait();
      });
    };
    wait();
    try {
      return await work;
    } finally {
      timer?.[Symbol.dispose]();
    }
  };

  /** Leaves the claim to `sessionId`, if it takes it; undefined when it does not, and the claim is free again. */
  const leaveTo = async (
    sessionId: string,
    { key, token }: Fence,
    session: HeldSession,
  ): Promise<HeldSession | undefined> => {
    const left = JSON.stringify(
      { ...session, sessionId, undecided: true, offered: true } satisfies Claimed,
    );
    const ttlMs = store.reachableMs < answerMs.lately ? answerMs.lately : answerMs.usually;
    await store.renew(key, token, ttlMs, left);
    while (true) {
      await clock.sleep(pollMs);
      const held = await store.read(key);
      if (!held) return undefined;
      if (held.value !== left) return readClaimed(held.value);
    }
  };

  /** Takes it, or tells whose it is. `holder`: who asks, and may have it from before without having been told. */
  const decide = async (
    roomSid: string,
    session: HeldSession,
    isOwn: (sessionId: string) => boolean,
    holder: string,
  ): Promise<TakenClaim> => {
    const key = keyOf(roomSid, session.agent);
    const claim = JSON.stringify({ ...session, undecided: true, holder } satisfies Claimed);
    /** Whom it was left to in vain. */
    const silent = new Set<string>();
    while (true) {
      let askedAtMs = clock.now();
      const looking = strangers(roomSid, session, isOwn);
      looking.catch(() => {}); // of no interest when another has the claim
      const taking = await store.take(key, claim, leaseMs);
      if (taking.type === "held") {
        const by = readClaimed(taking.value);
        if (!by.undecided) {
          onOutcome?.("held");
          return { type: "held", by };
        }
        if (by.holder !== holder) {
          await clock.sleep(pollMs);
          continue;
        }
        if (!await store.renew(key, taking.token, leaseMs)) continue;
      }
      const { token } = taking;
      try {
        const there = await renewWhile({ key, token }, looking);
        const other = there.find(({ sessionId }) => !silent.has(sessionId));
        if (other) {
          const by = await leaveTo(other.sessionId, { key, token }, session);
          if (by) {
            onOutcome?.("left");
            return { type: "held", by };
          }
          silent.add(other.sessionId);
          continue;
        }
        for (const { sessionId, identity } of there) {
          log.warn(
            { room: session.room, sessionId },
            "an agent whose claim has lapsed is put out of its room",
          );
          await renewWhile({ key, token }, rooms.remove(session.room, identity));
        }
        await renewWhile({ key, token }, tombstones.clear(roomSid, session.agent));
        if (clock.now() - askedAtMs > renewMs) {
          askedAtMs = clock.now();
          if (!await store.renew(key, token, leaseMs)) continue; // it has lapsed all the same
        }
        onOutcome?.("taken");
        return { type: "taken", lease: { key, token, askedAtMs } };
      } catch (error) {
        await drop({ key, token });
        throw error;
      }
    }
  };

  return {
    async of(roomSid) {
      const held = await Promise.all(agents.map((agent) => store.read(keyOf(roomSid, agent))));
      return held.flatMap((lease) => lease ? [readClaimed(lease.value)] : [])
        .filter(({ undecided }) => !undecided);
    },
    claimed: async (roomSid, agent) => await store.read(keyOf(roomSid, agent)) !== undefined,
    async leftMs(roomSid, agent) {
      const held = await store.read(keyOf(roomSid, agent));
      return held ? Math.max(1, held.leftMs) : 0;
    },
    async take(roomSid, session, isOwn) {
      const holder = crypto.randomUUID();
      try {
        return await decide(roomSid, session, isOwn, holder);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        const { room, agent } = session;
        log.warn({ error, room, agent }, "the store is asked once more for a claim");
        return await decide(roomSid, session, isOwn, holder);
      }
    },
    async takeNext(roomSid, session, holder) {
      const key = keyOf(roomSid, session.agent);
      const askedAtMs = clock.now();
      const claim = JSON.stringify({ ...session, holder } satisfies Claimed);
      const taking = await store.take(key, claim, leaseMs);
      if (taking.type === "taken") return { key, token: taking.token, askedAtMs };
      if (taking.value !== claim || !await store.renew(key, taking.token, leaseMs)) return undefined;
      return { key, token: taking.token, askedAtMs };
    },
    hold({ roomSid, describe, ...options }) {
      const key = () => keyOf(roomSid(), describe().agent);
      const hold = holdLease({ ...options, store, key, describe, clock });
      hold.lost.addEventListener("abort", () => onOutcome?.("lost"), { once: true });
      return hold;
    },
    drop,
    async arrival(roomSid, { sessionId, agent, state }, signal) {
      if (state === "connected") return "joined";
      while (true) {
        const held = await store.read(keyOf(roomSid, agent));
        const now = held && readClaimed(held.value);
        if (now?.sessionId !== sessionId) return "failed";
        if (now.state === "connected") return "joined";
        await clock.sleep(pollMs, { signal });
      }
    },
  };
}
