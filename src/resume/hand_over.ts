/** A session that is handed over by its process, which is to end, to another: nobody in the room notices. */
import type { Clock } from "../clock.ts";
import type { Hold } from "../dispatch/hold.ts";
import type { Log } from "../log.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { SessionCheckpoint } from "./checkpoints.ts";
import type { Departure, Juncture } from "./departure.ts";
import type { Offer, Offers, Taker } from "./offers.ts";

export interface HandOverOptions {
  readonly session: Pick<VoiceSession, "id" | "close" | "done">;
  /** What it goes on with; undefined while there is nothing. */
  readonly departure: () => Departure | undefined;
  /** The room as it is called by now, and who began. */
  readonly place: () => Pick<Offer, "roomSid" | "agent">;
  readonly hold: Pick<Hold, "pass" | "takeBack">;
  readonly kept: Pick<SessionCheckpoint, "give" | "takeBack">;
  readonly offers: Pick<Offers, "put" | "withdraw" | "taker">;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Where no silence comes for so long, it is handed over between two sentences, or while the user speaks; or sooner, for this
 * share of the time it has.
 */
const patience = { ms: 15_000, share: 0.25 };
/** So much before a sentence's end it is told what follows it, for the other to make it; milliseconds. */
const leadMs = 2_000;
/** So near it is only waited for; milliseconds. */
const nearMs = 1_000;
/** How often the store is asked who has accepted, and it is looked for a moment; milliseconds. */
const askMs = 250;
const lookMs = 50;
/** How long who has accepted, and lives, may take to be in charge, once they may be. */
const liveMs = 5_000;
/** An offer that has not changed is put again so much later; it holds for longer. */
const renewMs = 1_000;
/** What was not taken is given again so much later. */
const againMs = 1_000;
/** Clients have so long to see another agent before this one leaves: one that leaves while it is theirs has failed. */
const seenMs = 1_000;

/** Offers the session until it was handed over, has ended, or `signal` aborts. Never rejects. */
export async function handOver(
  { session, departure, place, hold, kept, offers, clock, log }: HandOverOptions,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const patienceMs = Math.min(patience.ms, waitMs * patience.share);
  /** Since when another is ready to go on with it (clock milliseconds). */
  let readyMs: number | undefined;
  /** Behind which sentence it is to. */
  let juncture: Juncture | undefined;
  let isOver = false;
  session.done.then(() => isOver = true);
  let told = false;

  /** Whether the one that has accepted is in charge, within a while. */
  const isLive = async (offer: Offer): Promise<boolean> => {
    const giveUpMs = clock.now() + liveMs;
    while (clock.now() < giveUpMs) {
      const taker = await offers.taker(offer);
      if (taker?.state === "live") return true;
      if (!taker) return false;
      await clock.sleep(lookMs);
    }
    return false;
  };
  /** Lets go of the session at this very moment; whether the other has it then. Otherwise it goes on here. */
  const give = async (
    from: Departure,
    offer: Offer,
    { identity }: Taker,
    at?: Juncture,
  ): Promise<boolean> => {
    const goOn = from.hold(at);
    const snapshot = from.take();
    try {
      await kept.give(snapshot);
      const isPassed = await hold.pass();
      const hidden = from.room.publishOnBehalf?.(identity); // as soon as the other is seen, which it is when it is live
      if (isPassed && await isLive(offer)) {
        log.info({ identity }, "the session was handed over");
        await hidden;
        await clock.sleep(seenMs);
        await session.close("handed-over");
        return true;
      }
      log.warn({ identity }, "the session was not taken over in time: it goes on here, if it can");
    } catch (error) {
      log.warn({ error }, "the session could not be handed over: it goes on here, if it can");
    }
    void from.room.publishOnBehalf?.(undefined);
    await hold.takeBack();
    await kept.takeBack(snapshot).catch((error) =>
      log.warn({ error }, "the session could not be written down")
    );
    goOn();
    await clock.sleep(againMs);
    return false;
  };
  const isLate = (): boolean => readyMs !== undefined && clock.now() - readyMs >= patienceMs;
  /** Behind which sentence it is to change hands, where it is time for that. */
  const plan = (from: Departure): Juncture | undefined => {
    if (!isLate()) return undefined;
    const leftMs = juncture && from.untilMs(juncture);
    return leftMs !== undefined && leftMs > 0 ? juncture : from.sentence(leadMs);
  };
  /** Whether the other could say at once what follows; at last it need not. */
  const isMade = ({ made }: Taker): boolean =>
    made === juncture?.next || clock.now() - (readyMs ?? Infinity) >= 2 * patienceMs;
  /** Waits a while for a moment, or the end of that sentence; whether the session was handed over. */
  const wait = async (from: Departure, offer: Offer, taker: Taker): Promise<boolean> => {
    const untilMs = clock.now() + askMs;
    const leftMs = () => juncture && isMade(taker) ? from.untilMs(juncture) ?? -Infinity : -Infinity;
    do {
      if (from.isMoment || (isLate() && from.isMidSpeech)) return await give(from, offer, taker);
      if (Math.abs(leftMs()) <= lookMs) {
        await clock.sleep(Math.max(0, leftMs()));
        if (leftMs() > -lookMs) return await give(from, offer, taker, juncture);
      }
      await clock.sleep(lookMs);
      // Where it is near, nobody is asked: it would pass meanwhile.
    } while ((clock.now() < untilMs || (leftMs() > 0 && leftMs() < nearMs)) && !isOver && !signal.aborted);
    return false;
  };
  let offered: Offer | undefined;
  let putMs = -Infinity;
  const turn = async (): Promise<boolean> => {
    const from = departure();
    if (from?.obstacle !== undefined && !told) {
      log.warn({ problem: from.obstacle }, "the session is not handed over, since that would be lost");
      told = true;
    }
    if (from && from.obstacle === undefined) {
      juncture = plan(from);
      const { identity } = from.room;
      const offer = { ...place(), sessionId: session.id, identity, ...(juncture && { next: juncture.next }) };
      if (clock.now() - putMs >= renewMs || JSON.stringify(offer) !== JSON.stringify(offered)) {
        await offers.put(offer);
        putMs = clock.now();
      }
      offered = offer;
      const taker = await offers.taker(offered);
      readyMs = taker?.state === "ready" ? readyMs ?? clock.now() : undefined;
      if (taker?.state === "ready") return await wait(from, offered, taker);
    }
    await clock.sleep(askMs);
    return false;
  };

  while (!isOver && !signal.aborted) {
    try {
      if (await turn()) break;
    } catch (error) {
      log.warn({ error }, "the session could not be offered to another process");
      await clock.sleep(askMs);
    }
  }
  if (offered) {
    await offers.withdraw(offered).catch((error) => log.debug({ error }, "an offer lapses by itself"));
  }
}
