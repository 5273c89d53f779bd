/** What processes share that take calls together: leases, each with one holder at a time, and values. All are text. */

/** A lease that is held. */
export interface Lease {
  /** What its holder wrote into it. */
  readonly value: string;
  /** Tells one holding from every other: each that is taken has a greater one than all that were taken before. */
  readonly token: number;
}

/** A lease that somebody holds now. */
export interface HeldLease extends Lease {
  /** It lapses after so long unless it is renewed, in milliseconds. */
  readonly leftMs: number;
}

export type Taking =
  | { readonly type: "taken"; readonly token: number }
  /** Somebody holds it. */
  | ({ readonly type: "held" } & Lease);

/** Does what it is asked only while the lease `key` is held with `token`: who has lost it changes nothing any more. */
export interface Fence {
  readonly key: string;
  readonly token: number;
}

/**
 * Each method rejects with a StoreError when the store cannot be reached or does not answer within 1.5 s; what was asked
 * may have been done all the same. A lease and a value may have the same key; times are durations, measured by the
 * store. A key is `kind:name`, both of any characters but that a kind has no ":".
 */
export interface Store extends AsyncDisposable {
  /** For how long it could be asked without a break, as far as is known; others may have found it again later; milliseconds. */
  readonly reachableMs: number;
  /** Takes the lease for `ttlMs`, if nobody holds it. */
  take(key: string, value: string, ttlMs: number): Promise<Taking>;
  /** Holds it for `ttlMs` from now, with another value if one is given; false when it is not held with that token. */
  renew(key: string, token: number, ttlMs: number, value?: string): Promise<boolean>;
  /** Gives it up; false when it was not held with that token. */
  release(key: string, token: number): Promise<boolean>;
  /** The lease, if somebody holds it. */
  read(key: string): Promise<HeldLease | undefined>;
  /** Keeps a value for `ttlMs`; false when `fence` stands in the way. */
  set(
    key: string,
    value: string,
    options: { readonly ttlMs: number; readonly fence?: Fence },
  ): Promise<boolean>;
  get(key: string): Promise<string | undefined>;
  /** Forgets a value; false when `fence` stands in the way. */
  delete(key: string, options?: { readonly fence?: Fence }): Promise<boolean>;
  /** The keys of the values of that kind, in any order. */
  keys(kind: string): Promise<string[]>;
}

/** The store could not be asked, in words for an operator. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** The kind of `key`. */
export const kindOf = (key: string): string => key.slice(0, key.indexOf(":"));
