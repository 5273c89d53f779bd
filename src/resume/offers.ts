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
}

const offer: z.ZodType<Offer> = z.object({
  sessionId: z.string(),
  roomSid: z.string(),
  agent: z.string(),
  identity: z.string(),
});

/** How far the one that has accepted is: on its way, in the room, or in charge. */
export type TakerState = "coming" | "ready" | "live";

const taker = z.object({ identity: z.string(), state: z.enum(["coming", "ready", "live"]) });
export type Taker = Readonly<z.infer<typeof taker>>;

/** How long an offer, and an acceptance, hold unless they are renewed, milliseconds. */
export const offeredMs = 3_000;

/** Each method rejects with a StoreError. */
export interface Offers {
  /** Offers it, or goes on to. */
  put(offer: Offer): Promise<void>;
  withdraw(offer: Offer): Promise<void>;
  list(): Promise<readonly Offer[]>;
  /** Whether it is still offered. */
  stands(offer: Offer): Promise<boolean>;
  /** Who has accepted, and lives. */
  taker(offer: Pick<Offer, "roomSid" | "agent">): Promise<Taker | undefined>;
  /** Accepts; undefined when another has. */
  accept(offer: Offer, identity: string): Promise<Acceptance | undefined>;
}

export interface Acceptance {
  /** Tells the one that leaves, and goes on to hold; false when another has accepted meanwhile. */
  tell(state: TakerState): Promise<boolean>;
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
    stands: async (one) => (await read(keyOf(one)))?.identity === one.identity,
    async taker(one) {
      const held = await store.read(takerOf(one));
      return held && taker.parse(JSON.parse(held.value));
    },
    async accept(one, identity) {
      const key = takerOf(one);
      const value = (state: TakerState) => JSON.stringify({ identity, state } satisfies Taker);
      const taking = await store.take(key, value("coming"), offeredMs);
      if (taking.type === "held") return undefined;
      const { token } = taking;
      return {
        tell: (state) => store.renew(key, token, offeredMs, value(state)),
        async release() {
          await store.release(key, token);
        },
      };
    },
  };
}
