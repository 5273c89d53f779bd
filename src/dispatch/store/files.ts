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

/** How long a method may take, and how often it tries while another process changes something; milliseconds. */
const answerMs = 1_000;
const retryMs = 2;

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
 * Whoever only reads waits for nobody. A change is done without a pause, so that none waits for another's event loop.
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

  /** What is in the file, unless it has expired. */
  const read = async (path: string): Promise<Kept | undefined> =>
    parsed(await unlessMissing(Deno.readTextFile(path)));
  const readNow = (path: string): Kept | undefined =>
    parsed(unlessMissingNow(() => Deno.readTextFileSync(path)));
  const parsed = (text: string | undefined): Kept | undefined => {
    if (text === undefined) return undefined;
    const found = kept.parse(JSON.parse(text));
    return found.untilMs > now() ? found : undefined;
  };
  const write = (path: string, what: string | Kept): void => {
    const whole = `${path}.new`;
    Deno.writeTextFileSync(whole, typeof what === "string" ? what : JSON.stringify(what), { mode: 0o600 });
    Deno.renameSync(whole, path);
  };
  const remove = (path: string) => unlessMissingNow(() => Deno.removeSync(path));
  const list = async (
    kind: string,
  ): Promise<{ readonly path: string; readonly what: Kept | undefined }[]> => {
    const entries = await unlessMissing(Array.fromAsync(Deno.readDir(folderOf(kind)))) ?? [];
    const paths = entries.flatMap(({ name }) => name.endsWith(".json") ? [`${folderOf(kind)}/${name}`] : []);
    return await Promise.all(paths.map(async (path) => ({ path, what: await read(path) })));
  };
  /** Forgets which of them have expired. */
  const tidy = (paths: readonly string[]): void => {
    for (const path of paths) if (!readNow(path)) remove(path);
  };
  const make = (path: string) => Deno.mkdirSync(path, { recursive: true, mode: 0o700 });

  /** Does `work` while no other process does any; rejects with a StoreError. */
  const ask = async <T>(work: () => T): Promise<T> => {
    const giveUpMs = clock.now() + answerMs;
    try {
      using file = Deno.openSync(lock, { create: true, write: true, mode: 0o600 }); // it is locked until it is closed
      while (!file.tryLockSync(true)) {
        if (clock.now() >= giveUpMs) throw tooLate();
        await clock.sleep(retryMs);
      }
      if (over) throw new StoreError("the store is closed");
      return work();
    } catch (error) {
      throw asStoreError(error);
    }
  };
  const tooLate = () => new StoreError(`the store in ${folder} gave no answer within ${answerMs / 1000} s`);
  const asStoreError = (error: unknown): StoreError => {
    if (error instanceof StoreError) return error;
    return new StoreError(`the store in ${folder} cannot be used: ${messageOf(error)}`, { cause: error });
  };
  /** Rejects with a StoreError, soon enough. */
  const inTime = async <T>(done: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>();
    using _ = clock.after(answerMs, () => late.reject(tooLate()));
    try {
      return await Promise.race([done, late.promise]);
    } catch (error) {
      throw asStoreError(error);
    }
  };

  const lease = (key: string): Lease | undefined => {
    const { value, token } = readNow(leasePath(key)) ?? {};
    return value === undefined || token === undefined ? undefined : { value, token };
  };
  const held = async (key: string): Promise<HeldLease | undefined> => {
    const { value, token, untilMs } = await read(leasePath(key)) ?? {};
    if (value === undefined || token === undefined || untilMs === undefined) return undefined;
    return { value, token, leftMs: untilMs - now() };
  };
  const isHeld = (fence: Fence | undefined) => !fence || lease(fence.key)?.token === fence.token;
  const hold = (key: string, { value, token }: Lease, ttlMs: number) =>
    write(leasePath(key), { key, value, token, untilMs: now() + ttlMs });
  const nextToken = (): number => {
    const token = Number(unlessMissingNow(() => Deno.readTextFileSync(lastToken)) ?? 0) + 1;
    write(lastToken, String(token));
    return token;
  };

  const store: Store = {
    reachableMs: Infinity,
    take: (key, value, ttlMs) =>
      ask((): Taking => {
        const held = lease(key);
        if (held) return { type: "held", ...held };
        const token = nextToken();
        hold(key, { value, token }, ttlMs);
        return { type: "taken", token };
      }),
    renew: (key, token, ttlMs, value) =>
      ask(() => {
        const held = lease(key);
        if (held?.token !== token) return false;
        hold(key, { value: value ?? held.value, token }, ttlMs);
        return true;
      }),
    release: (key, token) =>
      ask(() => {
        if (!isHeld({ key, token })) return false;
        remove(leasePath(key));
        return true;
      }),
    read: (key) => inTime(held(key)),
    set: (key, value, { ttlMs, fence }) =>
      ask(() => {
        if (!isHeld(fence)) return false;
        make(folderOf(`values-${kindOf(key)}`));
        write(valuePath(key), { key, value, untilMs: now() + ttlMs });
        return true;
      }),
    get: async (key) => (await inTime(read(valuePath(key))))?.value,
    delete: (key, { fence } = {}) =>
      ask(() => {
        if (!isHeld(fence)) return false;
        remove(valuePath(key));
        return true;
      }),
    async keys(kind) {
      const all = await inTime(list(`values-${kind}`));
      const expired = all.flatMap(({ path, what }) => what ? [] : [path]);
      if (expired.length > 0) await ask(() => tidy(expired));
      return all.flatMap(({ what }) => what ? [what.key] : []);
    },
    [Symbol.asyncDispose]() {
      over = true;
      return Promise.resolve();
    },
  };
  try {
    make(folderOf("leases"));
    const leases = await list("leases");
    await ask(() => tidy(leases.map(({ path }) => path)));
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

function unlessMissingNow<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
