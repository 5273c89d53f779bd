/** A store in files of one folder, for the processes of one machine, and for one that is started again. */
import { createHash } from "node:crypto";
import * as z from "zod";
import { type Clock, wallTime } from "../../clock.ts";
import { ConfigError, messageOf } from "../../errors.ts";
import {
  type Fence,
  type HeldLease,
  kindOf,
  type Lease,
  type Store,
  StoreError,
  type Taking,
} from "./store.ts";

export interface FileStoreOptions {
  /** Is made where there is none. Nobody else may read it: what was said is in there. */
  readonly folder: string;
  readonly clock: Clock;
  /** Milliseconds since 1970, which all processes share (default: the machine's). */
  readonly now?: () => number;
}

/** How long a method may take, in milliseconds. */
const answerMs = 1_000;

/** `token`: of a lease alone. */
const kept = z.object({
  key: z.string(),
  value: z.string(),
  untilMs: z.number(),
  token: z.number().exactOptional(),
});
type Kept = z.infer<typeof kept>;

/**
 * Opens the store in `folder`; throws a ConfigError when nothing can be written there. Each value and each lease is a file,
 * which is replaced as a whole; processes change them one at a time, by the lock of one file, which ends with its process.
 * Whoever only reads waits for nobody.
 */
export async function fileStore({ folder, clock, now = wallTime }: FileStoreOptions): Promise<Store> {
  const lock = `${folder}/lock`;
  const lastToken = `${folder}/token`;
  const folderOf = (kind: string) => `${folder}/${kind}`;
  const pathOf = (kind: string, key: string) =>
    `${folderOf(kind)}/${createHash("sha256").update(key).digest("hex").slice(0, 40)}.json`;
  const leasePath = (key: string) => pathOf("leases", key);
  const valuePath = (key: string) => pathOf(`values-${kindOf(key)}`, key);
  let over = false;
  let working: Promise<unknown> = Promise.resolve();

  /** What is in the file, unless it has expired. */
  const read = async (path: string): Promise<Kept | undefined> => {
    const text = await unlessMissing(Deno.readTextFile(path));
    if (text === undefined) return undefined;
    const found = kept.parse(JSON.parse(text));
    return found.untilMs > now() ? found : undefined;
  };
  const write = async (path: string, what: string | Kept): Promise<void> => {
    const whole = `${path}.new`;
    await Deno.writeTextFile(whole, typeof what === "string" ? what : JSON.stringify(what), { mode: 0o600 });
    await Deno.rename(whole, path);
  };
  const remove = async (path: string) => await unlessMissing(Deno.remove(path));
  const list = async (
    kind: string,
  ): Promise<{ readonly path: string; readonly what: Kept | undefined }[]> => {
    const entries = await unlessMissing(Array.fromAsync(Deno.readDir(folderOf(kind)))) ?? [];
    const paths = entries.flatMap(({ name }) => name.endsWith(".json") ? [`${folderOf(kind)}/${name}`] : []);
    return await Promise.all(paths.map(async (path) => ({ path, what: await read(path) })));
  };
  /** Forgets what has expired. */
  const tidy = async (kind: string): Promise<void> => {
    const expired = (await list(kind)).filter(({ what }) => !what);
    await Promise.all(expired.map(({ path }) => remove(path)));
  };
  const make = (path: string) => Deno.mkdir(path, { recursive: true, mode: 0o700 });

  /** Does `work` while no other process does any. */
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    using file = await Deno.open(lock, { create: true, write: true, mode: 0o600 });
    await file.lock(true); // until it is closed
    if (over) throw new StoreError("the store is closed");
    return await work();
  };
  /** The same, one after the other in this process; rejects with a StoreError. */
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = working.then(() => alone(work));
    working = done.catch(() => {}); // whoever asked is told
    return await inTime(done);
  };
  /** Rejects with a StoreError, soon enough. */
  const inTime = async <T>(done: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>();
    using _ = clock.after(answerMs, () => {
      late.reject(new StoreError(`the store in ${folder} gave no answer within ${answerMs / 1000} s`));
    });
    try {
      return await Promise.race([done, late.promise]);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(`the store in ${folder} cannot be used: ${messageOf(error)}`, { cause: error });
    }
  };

  const lease = async (key: string): Promise<Lease | undefined> => {
    const { value, token } = await read(leasePath(key)) ?? {};
    return value === undefined || token === undefined ? undefined : { value, token };
  };
  const held = async (key: string): Promise<HeldLease | undefined> => {
    const { value, token, untilMs } = await read(leasePath(key)) ?? {};
    if (value === undefined || token === undefined || untilMs === undefined) return undefined;
    return { value, token, leftMs: untilMs - now() };
  };
  const isHeld = async (fence: Fence | undefined) =>
    !fence || (await lease(fence.key))?.token === fence.token;
  const hold = (key: string, { value, token }: Lease, ttlMs: number) =>
    write(leasePath(key), { key, value, token, untilMs: now() + ttlMs });
  const nextToken = async (): Promise<number> => {
    const token = Number(await unlessMissing(Deno.readTextFile(lastToken)) ?? 0) + 1;
    await write(lastToken, String(token));
    return token;
  };

  const store: Store = {
    reachableMs: Infinity,
    take: (key, value, ttlMs) =>
      ask(async (): Promise<Taking> => {
        const held = await lease(key);
        if (held) return { type: "held", ...held };
        const token = await nextToken();
        await hold(key, { value, token }, ttlMs);
        return { type: "taken", token };
      }),
    renew: (key, token, ttlMs, value) =>
      ask(async () => {
        const held = await lease(key);
        if (held?.token !== token) return false;
        await hold(key, { value: value ?? held.value, token }, ttlMs);
        return true;
      }),
    release: (key, token) =>
      ask(async () => {
        if (!await isHeld({ key, token })) return false;
        await remove(leasePath(key));
        return true;
      }),
    read: (key) => inTime(held(key)),
    set: (key, value, { ttlMs, fence }) =>
      ask(async () => {
        if (!await isHeld(fence)) return false;
        await make(folderOf(`values-${kindOf(key)}`));
        await write(valuePath(key), { key, value, untilMs: now() + ttlMs });
        return true;
      }),
    get: async (key) => (await inTime(read(valuePath(key))))?.value,
    delete: (key, { fence } = {}) =>
      ask(async () => {
        if (!await isHeld(fence)) return false;
        await remove(valuePath(key));
        return true;
      }),
    async keys(kind) {
      const all = await inTime(list(`values-${kind}`));
      if (all.some(({ what }) => !what)) await ask(() => tidy(`values-${kind}`));
      return all.flatMap(({ what }) => what ? [what.key] : []);
    },
    async [Symbol.asyncDispose]() {
      over = true;
      await working;
    },
  };
  try {
    await make(folderOf("leases"));
    await ask(() => tidy("leases"));
    return store;
  } catch (error) {
    throw new ConfigError(
      `STATE_DIR is ${JSON.stringify(folder)}, which cannot be written to: ${messageOf(error)}`,
    );
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
