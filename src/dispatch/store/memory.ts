/** A store that is shared with nobody: for tests, and for what one process keeps to itself. */
import type { Clock } from "../../clock.ts";
import { type Fence, type HeldLease, kindOf, type Lease, type Store, type Taking } from "./store.ts";

interface Kept<T> {
  readonly what: T;
  readonly untilMs: number;
}

/** An empty store; what has expired is forgotten when it is asked for, or something is kept. */
export function memoryStore({ clock }: { readonly clock: Clock }): Store {
  const leases = new Map<string, Kept<Lease>>();
  const values = new Map<string, Kept<string>>();
  let lastToken = 0;

  const forget = (all: Map<string, Kept<unknown>>) => {
    for (const [key, { untilMs }] of all) if (untilMs <= clock.now()) all.delete(key);
  };
  const keep = <T>(all: Map<string, Kept<T>>, key: string, what: T, ttlMs: number) => {
    forget(all);
    all.set(key, { what, untilMs: clock.now() + ttlMs });
  };
  const lease = (key: string): Lease | undefined => {
    forget(leases);
    return leases.get(key)?.what;
  };
  const read = (key: string): HeldLease | undefined => {
    forget(leases);
    const { what, untilMs } = leases.get(key) ?? {};
    return what && untilMs !== undefined ? { ...what, leftMs: untilMs - clock.now() } : undefined;
  };
  const isHeld = ({ key, token }: Fence) => lease(key)?.token === token;

  const take = (key: string, value: string, ttlMs: number): Taking => {
    const held = lease(key);
    if (held) return { type: "held", ...held };
    const token = ++lastToken;
    keep(leases, key, { value, token }, ttlMs);
    return { type: "taken", token };
  };
  const renew = (key: string, token: number, ttlMs: number, value?: string): boolean => {
    const held = lease(key);
    if (held?.token !== token) return false;
    keep(leases, key, { value: value ?? held.value, token }, ttlMs);
    return true;
  };
  const set = (key: string, value: string, ttlMs: number, fence?: Fence): boolean => {
    if (fence && !isHeld(fence)) return false;
    keep(values, key, value, ttlMs);
    return true;
  };
  const remove = (key: string, fence?: Fence): boolean => {
    if (fence && !isHeld(fence)) return false;
    values.delete(key);
    return true;
  };

  return {
    reachableMs: Infinity,
    take: (...given) => Promise.resolve(take(...given)),
    renew: (...given) => Promise.resolve(renew(...given)),
    release: (key, token) => Promise.resolve(isHeld({ key, token }) && leases.delete(key)),
    read: (key) => Promise.resolve(read(key)),
    set: (key, value, { ttlMs, fence }) => Promise.resolve(set(key, value, ttlMs, fence)),
    get(key) {
      forget(values);
      return Promise.resolve(values.get(key)?.what);
    },
    delete: (key, { fence } = {}) => Promise.resolve(remove(key, fence)),
    keys(kind) {
      forget(values);
      return Promise.resolve([...values.keys()].filter((key) => kindOf(key) === kind));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
