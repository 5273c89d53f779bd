/** A claim that is held: renewed while its session goes on, and a session that is silent as soon as it may not be held. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Gate } from "../room/gate.ts";
import { type Claimed, type HeldSession, readClaimed } from "./held.ts";
import { type Fence, type Store, StoreError } from "./store/store.ts";

/** How long a claim is held unless it is renewed; how often it is; milliseconds. */
export const leaseMs = 3_000;
export const renewMs = 750;
/** So much before others may take it, its holder is silent. */
const marginMs = 500;
/** How soon it is asked again who has it, while another has yet to look into the room. */
const undecidedMs = 200;

/** A claim that was taken. */
export interface TakenLease extends Fence {
  /** When it was asked for, by the clock. */
  readonly askedAtMs: number;
}

export interface Hold {
  readonly gate: Gate;
  /** Aborts when another has the claim. */
  readonly lost: AbortSignal;
  /** What is to be written only by who holds it: of its session's state, for one. */
  readonly fence: Fence;
  /** Tells others at once what `describe()` has come to. */
  tell(): void;
  /**
   * Leaves it to whoever takes it next, and is silent from now on; false when it was not held any more. Rejects with a
   * StoreError.
   */
  pass(): Promise<boolean>;
  /** Nobody has taken it, perhaps: it is taken again, or lost; settles when that is known. */
  takeBack(): Promise<void>;
  /** Gives it up, if it is still held, after `before` is done. Settles within some seconds, never rejects. */
  release(before?: (fence: Fence) => Promise<unknown>): Promise<void>;
}

export interface HoldOptions {
  readonly store: Store;
  readonly lease: TakenLease;
  /** The claim's key: another, when the room has another SID by now. */
  readonly key: () => string;
  /** What others are told. */
  readonly describe: () => HeldSession;
  /** Whether the agent sees itself in the room, and no other of its name. */
  readonly isAlone: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

type Outcome = "held" | "undecided" | "lost" | "unknown";

/** Holds it from now on. Where the store cannot be asked, the room is: who is alone there goes on. */
export function holdLease({ store, lease, describe, isAlone, clock, log, ...options }: HoldOptions): Hold {
  let { key, token } = lease;
  let untilMs = lease.askedAtMs + leaseMs - marginMs;
  let over = false;
  let passed = false;
  let muted = false;
  let isKnown = true;
  let next: Disposable | undefined;
  let lapse: Disposable | undefined;
  const holder = crypto.randomUUID();
  const lost = new AbortController();
  const listeners = new Set<() => void>();

  const shut = () => {
    for (const listener of listeners) listener();
  };
  const watch = () => {
    lapse?.[Symbol.dispose]();
    lapse = clock.after(untilMs - clock.now(), () => {
      muted = true;
      log.warn({}, "the claim could not be renewed: the agent is silent until it is");
      shut();
    });
  };
  const extend = (fromMs: number) => {
    untilMs = Math.max(untilMs, fromMs + leaseMs - marginMs);
    if (untilMs <= clock.now()) return; // the process stood still meanwhile: what was true then may not be now
    if (muted) log.info({}, "the agent is heard again");
    muted = false;
    watch();
  };
  const silence = () => {
    untilMs = -Infinity;
    next?.[Symbol.dispose]();
    lapse?.[Symbol.dispose]();
  };
  const end = () => {
    over = true;
    silence();
  };

  const renew = async (): Promise<Outcome> => {
    const value = JSON.stringify({ ...describe(), holder } satisfies Claimed);
    if (options.key() !== key) {
      await store.release(key, token);
      [key, token] = [options.key(), 0]; // a token that none has: it is taken anew
    }
    if (await store.renew(key, token, leaseMs, value)) return "held";
    const taking = await store.take(key, value, leaseMs);
    if (taking.type === "held") {
      const { sessionId, undecided, offered, holder: by } = readClaimed(taking.value);
      // Whoever took it has found this session in the room, and left the claim to it.
      const isOffered = offered && sessionId === describe().sessionId;
      const isOwn = by === holder; // it was taken here, and the answer was lost
      if (!isOffered && !isOwn) return undecided ? "undecided" : "lost";
      if (!await store.renew(key, taking.token, leaseMs, value)) return "undecided";
    }
    token = taking.token;
    return "held";
  };
  const ask = async (): Promise<Outcome> => {
    try {
      return await renew();
    } catch (error) {
      if (isKnown) log.warn({ error }, "the claim cannot be renewed");
      if (!(error instanceof StoreError)) log.error({ error }, "what a claim tells could not be read");
      return "unknown";
    }
  };
  const round = async () => {
    if (over || passed) return;
    const askedAtMs = clock.now();
    const outcome = await ask();
    if (over || passed) return;
    isKnown = outcome !== "unknown";
    if (outcome === "held") extend(askedAtMs);
    // After a stand-still what is seen of the room is old.
    if (outcome === "unknown" && isAlone() && clock.now() - askedAtMs < leaseMs) extend(clock.now());
    if (outcome === "lost") {
      log.warn({}, "another process has the claim");
      end();
      shut();
      return lost.abort();
    }
    next = clock.after(outcome === "undecided" ? undecidedMs : renewMs, tell);
  };
  let working: Promise<void> = Promise.resolve();
  const tell = () => {
    next?.[Symbol.dispose]();
    working = working.then(round);
  };

  watch();
  tell();
  return {
    gate: {
      get open() {
        return clock.now() < untilMs;
      },
      onShut: (listener) => void listeners.add(listener),
    },
    lost: lost.signal,
    get fence() {
      return { key, token };
    },
    tell,
    async pass() {
      passed = true;
      silence();
      shut();
      const released = working.then(() => store.release(key, token));
      working = released.then(() => {}, () => {}); // whoever passes it on is told
      return await released;
    },
    takeBack() {
      passed = false;
      tell();
      return working;
    },
    async release(before) {
      if (over) return await working;
      end();
      working = working.then(async () => {
        try {
          await before?.({ key, token });
          await store.release(key, token);
        } catch (error) {
          log.warn({ error }, "a claim could not be given up: it lapses");
        }
      });
      await working;
    },
  };
}
