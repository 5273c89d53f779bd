/** Claims by the worker that has them: those of one that is gone lapse at once. */
import { kindOf, type Store } from "../dispatch/store/store.ts";
import type { Log } from "../log.ts";

export interface OwnedClaims {
  /** The store as that worker is to ask it. */
  of(worker: string): Store;
  /** The worker's process has ended: others may take what it had. Never rejects. */
  lapse(worker: string): Promise<void>;
}

export function ownClaims(store: Store, { log }: { readonly log: Log }): OwnedClaims {
  const owners = new Map<string, { readonly worker: string; readonly token: number }>();
  const own = (worker: string, key: string, token: number) => {
    if (kindOf(key) === "claim") owners.set(key, { worker, token });
  };
  const disown = (key: string, token: number) => {
    if (owners.get(key)?.token === token) owners.delete(key);
  };
  return {
    of: (worker) => ({
      ...store,
      async take(key, value, ttlMs) {
        const taking = await store.take(key, value, ttlMs);
        if (taking.type === "taken") own(worker, key, taking.token);
        return taking;
      },
      async renew(key, token, ttlMs, value) {
        const isHeld = await store.renew(key, token, ttlMs, value);
        if (isHeld) own(worker, key, token); // it may have been left to it by another
        else disown(key, token);
        return isHeld;
      },
      async release(key, token) {
        const wasHeld = await store.release(key, token);
        disown(key, token);
        return wasHeld;
      },
    }),
    async lapse(worker) {
      const left = [...owners].filter(([, owner]) => owner.worker === worker);
      for (const [key, { token }] of left) {
        disown(key, token);
        await store.release(key, token).catch((error) =>
          log.warn({ error, key }, "a claim could not be given up: it lapses")
        );
      }
    },
  };
}
