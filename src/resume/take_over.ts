/** Sessions that other processes hand over, since they are to end: this one goes on with them. */
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { HeldSession } from "../dispatch/held.ts";
import type { TakenLease } from "../dispatch/hold.ts";
import type { Leases } from "../dispatch/leases.ts";
import type { Rooms } from "../dispatch/rooms.ts";
import { identityAfter } from "../dispatch/session_id.ts";
import type { Standby, Wanted } from "../dispatch/standby.ts";
import type { MadeSpeech } from "../greeting.ts";
import type { Log } from "../log.ts";
import { turnstile } from "../turnstile.ts";
import type { Checkpoint, Checkpoints } from "./checkpoints.ts";
import type { Acceptance, Offer, Offers, TakerState } from "./offers.ts";
import { watch } from "./watch.ts";

export interface TakeOverOptions {
  readonly dispatcher: Pick<Dispatcher, "refusal" | "reserve" | "takeOver">;
  readonly standBy: (wanted: Wanted) => Promise<Standby>;
  /** The names in the registry. */
  readonly agents: readonly string[];
  readonly offers: Pick<Offers, "list" | "accept" | "find">;
  readonly leases: Pick<Leases, "takeNext" | "drop">;
  readonly checkpoints: Pick<Checkpoints, "find">;
  readonly rooms: Pick<Rooms, "remove">;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is looked for offers, whether one stands still, and whether the claim is free; milliseconds. */
const lookMs = 500;
const askMs = 250;
/** What has not changed is told again so much later: it holds for longer. */
const renewMs = 1_000;
const pollMs = 40;
/** An offer that could not be taken is looked at again so much later. */
const againMs = 3_000;
/** How long it may take to be in the room. */
const joinMs = 10_000;
/** So many are on their way at a time: more slow down each other, and the calls that there are. */
const mostComing = 3;
/** A session is given up no longer than this before its claim is, milliseconds. */
const givingMs = 500;
/** What was written to it so shortly before would be at work, had it been read; milliseconds. */
const readMs = 300;

/** Looks for them from now on, while this process takes calls. Disposing of it ends that. */
export function startTakeOvers(options: TakeOverOptions): AsyncDisposable {
  const { dispatcher, standBy, agents, offers, leases, checkpoints, rooms, clock, log } = options;
  const over = new AbortController();
  const underWay = new Map<string, Promise<void>>();
  const entrance = turnstile({ places: mostComing, longestMs: joinMs });
  const nameOf = ({ roomSid, agent }: Offer) => JSON.stringify([roomSid, agent]);

  /** Tells how far it is, and goes on to; what it is told by aborts when the other does not want it any more. */
  const follow = (offer: Offer, acceptance: Acceptance) => {
    const broken = new AbortController();
    const signal = AbortSignal.any([over.signal, broken.signal]);
    let state: TakerState = "coming";
    let standby: Standby | undefined;
    let made: MadeSpeech | undefined;
    let ready: string | undefined;
    let told: string | undefined;
    let toldMs = -Infinity;
    const make = (text: string | undefined) => {
      if (made?.text === text || !standby) return;
      made?.drop();
      made = text === undefined ? undefined : standby.make(text);
      ready = undefined;
      void made?.begun.then(() => {
        if (made?.text === text) ready = text;
      });
    };
    const tell = async () => {
      // While the other decides its own claim is what counts.
      const news = JSON.stringify([state, ready]);
      const isDue = news !== told || clock.now() - toldMs >= renewMs;
      const isHeld = !isDue || await acceptance.tell(state, ready);
      if (isDue) [told, toldMs] = [news, clock.now()];
      const now = isHeld && state !== "live" ? await offers.find(offer) : undefined;
      if (now && state === "ready") make(now.next);
      if (!isHeld || (state !== "live" && !now)) {
        broken.abort(new DOMException("the session is not offered any more", "AbortError"));
      }
    };
    const keep = async () => {
      while (!signal.aborted) {
        await tell();
        await clock.sleep(askMs, { signal });
      }
    };
    keep().catch((error) => broken.abort(error));
    return {
      signal,
      async reach(next: TakerState) {
        state = next;
        await tell();
      },
      /** What is said first is made there. */
      makeAt: (there: Standby) => void (standby = there),
      /** What was made by now, for who has the session. */
      takeMade() {
        const taken = made;
        [standby, made] = [undefined, undefined];
        return taken;
      },
      end() {
        broken.abort(new DOMException("it is over", "AbortError"));
        made?.drop();
      },
    };
  };

  /** Waits for the claim: of who gives it up, or has died. `heldMs`: when another last had it, at the earliest. */
  const claim = async (
    { roomSid }: Offer,
    session: HeldSession,
    holder: string,
    signal: AbortSignal,
  ): Promise<{ readonly lease: TakenLease; readonly heldMs: number }> => {
    for (let heldMs = clock.now();;) {
      const askedMs = clock.now();
      const lease = await leases.takeNext(roomSid, session, holder);
      if (lease) return { lease, heldMs };
      heldMs = askedMs;
      await clock.sleep(pollMs, { signal });
    }
  };

  const begin = async (
    offer: Offer,
    { lease, heldMs }: Awaited<ReturnType<typeof claim>>,
    { standby, takeMade }: { readonly standby: Standby; readonly takeMade: () => MadeSpeech | undefined },
  ) => {
    try {
      const left = await checkpoints.find(offer.roomSid, offer.agent);
      if (left?.sessionId !== offer.sessionId) throw new Error("nothing is kept of the session any more");
      // As the clocks of both machines have it; the claim says how wrong they may be.
      const givenMs = Math.max(clock.now() - left.agoMs, heldMs - givingMs);
      const unheardMs = left.snapshot?.unheardMs ?? 0;
      const since = left.given
        ? { silentlySinceMs: givenMs - unheardMs, unreadSinceMs: givenMs - readMs }
        : { silentlySinceMs: undefined, unreadSinceMs: undefined };
      dispatcher.takeOver({ left, lease, standby, ...since, made: takeMade() });
      return left;
    } catch (error) {
      await leases.drop(lease); // whoever has left it takes it back
      throw error;
    }
  };

  const take = async (offer: Offer, left: Checkpoint): Promise<void> => {
    using coming = await entrance.enter({ clock, signal: over.signal });
    using place = dispatcher.reserve();
    const identity = identityAfter(offer.identity);
    const acceptance = place && await offers.accept(offer, identity);
    if (!acceptance) return;
    const about = { sessionId: offer.sessionId, room: left.room };
    log.info(about, "a session is about to be taken over");
    const { signal, reach, makeAt, takeMade, end } = follow(offer, acceptance);
    let standby: Standby | undefined;
    try {
      const late = new AbortController();
      using _ = clock.after(joinMs, () => late.abort(new DOMException("it took too long", "TimeoutError")));
      const joining = AbortSignal.any([signal, late.signal]);
      standby = await standBy({ left, identity, onBehalfOf: offer.identity, signal: joining });
      makeAt(standby);
      await reach("ready");
      coming[Symbol.dispose](); // the next may come
      const { room, agent, metadata, sessionId } = left;
      const session: HeldSession = { sessionId, room, agent, metadata, state: "connected" };
      const taken = await claim(offer, session, identity, signal);
      const { given } = await begin(offer, taken, { standby, takeMade });
      await Promise.all([reach("live"), standby.room.publishOnBehalf?.(undefined)]);
      log.info({ ...about, given }, "a session was taken over");
      if (!given) await rooms.remove(left.room, offer.identity); // its process is gone, and it not yet
    } catch (error) {
      if (!signal.aborted) await acceptance.release();
      throw error;
    } finally {
      end();
      await standby?.leave();
    }
  };

  const consider = async (offer: Offer): Promise<void> => {
    const left = await checkpoints.find(offer.roomSid, offer.agent);
    if (!left?.snapshot || left.sessionId !== offer.sessionId) return;
    if ([left.agent, left.snapshot.inCharge].every((name) => agents.includes(name))) await take(offer, left);
  };
  const look = async (): Promise<number> => {
    for (const offer of await offers.list()) {
      const name = nameOf(offer);
      if (underWay.has(name) || dispatcher.refusal) continue;
      const done = consider(offer)
        .catch((error) => log.warn({ error, sessionId: offer.sessionId }, "a session was not taken over"))
        .then(() => clock.sleep(againMs, { signal: over.signal }))
        .catch(() => {}) // it is over
        .finally(() => underWay.delete(name));
      underWay.set(name, done);
    }
    return lookMs;
  };
  const watching = watch({
    look: async () => dispatcher.refusal ? lookMs : await look(),
    failure: "it cannot be looked for sessions that are handed over",
    againMs: lookMs,
    clock,
    log,
  });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await watching[Symbol.asyncDispose]();
      await Promise.all(underWay.values());
    },
  };
}
