/** Sessions that are offered to other processes, and who has accepted: what the one that leaves and the others tell. */
import * as z from "zod";
import type { Store } from "../dispatch/store/store.ts";

/** A session that another process may go on with; the rest is in its checkpoint. */
export interface Offer {
  readonly sessionId: string;
  readonly roomSid: string;
  readonly agent: string;
  /** The identity of the agent that is in the room. */
  readonly identity: string;
  /** What is to be said first, where it changes hands between two sentences. */
  readonly next?: string;
}

const offer: z.ZodType<Offer> = z.object({
  sessionId: z.string(),
  roomSid: z.string(),
  agent: z.string(),
  identity: z.string(),
  next: z.string().exactOptional(),
});

/** How far the one that has accepted is: on its way, in the room, or in charge. */
export type TakerState = "coming" | "ready" | "live";

const taker = z.object({
  identity: z.string(),
  state: z.enum(["coming", "ready", "live"]),
  /** What it could say at once. */
  made: z.string().exactOptional(),
});
export type Taker = Readonly<z.infer<typeof taker>>;

/** How long an offer, and an acceptance, hold unless they are renewed, milliseconds. */
export const offeredMs = 3_000;

/** Each method rejects with a StoreError. */
export interface Offers {
  /** Offers it, or goes on to. */
  put(offer: Offer): Promise<void>;
  withdraw(offer: Offer): Promise<void>;
  list(): Promise<readonly Offer[]>;
  /** The same as it is by now; undefined when it is not offered any more. */
  find(offer: Offer): Promise<Offer | undefined>;
  /** Who has accepted, and lives. */
  taker(offer: Pick<Offer, "roomSid" | "agent">): Promise<Taker | undefined>;
  /** Accepts; undefined when another has. */
  accept(offer: Offer, identity: string): Promise<Acceptance | undefined>;
}

export interface Acceptance {
  /** Tells the one that leaves, and goes on to hold; false when another has accepted meanwhile. */
  tell(state: TakerState, made?: string): Promise<boolean>;
  release(): Promise<void>;
}

const kind = "offer";

export function createOffers(store: Store): Offers {
  const nameOf = ({ roomSid, agent }: Pick<Offer, "roomSid" | "agent">) => JSON.stringify([roomSid, agent]);
  const keyOf = (one: Offer) => `${kind}:${nameOf(one)}`;
  const takerOf = (one: Pick<Offer, "roomSid" | "agent">) => `taker:${nameOf(one)}`;
  const read = async (key: string): Promise<Offer | undefined> => {
    const text = await store.get(key);
    return text === undefined ? undefined : offer.parse(JSON.parse(text));
  };
  return {
    async put(one) {
      await store.set(keyOf(one), JSON.stringify(one), { ttlMs: offeredMs });
    },
    async withdraw(one) {
      await store.delete(keyOf(one));
    },
    async list() {
      const all = await Promise.all((await store.keys(kind)).map(read));
      return all.filter((one) => one !== undefined);
    },
    async find(one) {
      const now = await read(keyOf(one));
      return now?.identity === one.identity ? now : undefined;
    },
    async taker(one) {
      const held = await store.read(takerOf(one));
      return held && taker.parse(JSON.parse(held.value));
    },
    async accept(one, identity) {
      const key = takerOf(one);
      const value = (state: TakerState, made?: string) =>
        JSON.stringify({ identity, state, ...(made !== undefined && { made }) } satisfies Taker);
      const taking = await store.take(key, value("coming"), offeredMs);
      if (taking.type === "held") return undefined;
      const { token } = taking;
      return {
        tell: (state, made) => store.renew(key, token, offeredMs, value(state, made)),
        async release() {
          await store.release(key, token);
        },
      };
    },
  };
}
