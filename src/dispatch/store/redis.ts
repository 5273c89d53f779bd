/** A store in Redis, or in what speaks its protocol and runs its scripts, such as Valkey: https://redis.io/docs/latest/ */
import { createClient, type RedisClientType } from "@redis/client";
import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import * as scripts from "./redis_scripts.ts";
import { type Fence, kindOf, type Lease, type Store, StoreError } from "./store.ts";

export interface RedisStoreOptions {
  /** `redis://…`, or `rediss://…` for TLS; with user, password and database, where there are such. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a connection may take to be made, and an answer to come; milliseconds. */
const connectMs = 5_000;
const answerMs = 1_500;
/** Pauses after attempts to connect, milliseconds; the last is repeated. */
const backoffMs = [50, 100, 200, 400, 800];

const lastToken = "repartee:token";
const leaseKey = (key: string) => `repartee:lease:${key}`;
const valueKey = (key: string) => `repartee:value:${key}`;
/** The keys of a kind's values, by when they expire. */
const kindKey = (kind: string) => `repartee:kind:${kind}`;

/** Connects in the background, and again whenever the connection is lost or Redis falls silent. */
export function redisStore(options: RedisStoreOptions): Store {
  const connection = connectRedis(options);
  const run = <T>(script: string, keys: string[], args: (string | number)[]): Promise<T> =>
    connection.ask((client) => client.eval(script, { keys, arguments: args.map(String) }) as Promise<T>);
  const did = async (script: string, keys: string[], args: (string | number)[]): Promise<boolean> =>
    await run<number>(script, keys, args) === 1;
  const fencing = (fence: Fence | undefined) => ({
    key: fence ? leaseKey(fence.key) : "",
    token: fence ? fence.token : "",
  });

  return {
    get reachableMs() {
      return connection.upMs;
    },
    async take(key, value, ttlMs) {
      const [taken, answer] = await run<[number, string]>(
        scripts.take,
        [leaseKey(key), lastToken],
        [value, ttlMs],
      );
      return taken === 1 ? { type: "taken", token: Number(answer) } : { type: "held", ...leaseFrom(answer) };
    },
    renew: (key, token, ttlMs, value) =>
      did(scripts.renew, [leaseKey(key)], [token, ttlMs, ...(value === undefined ? [] : [value])]),
    release: (key, token) => did(scripts.release, [leaseKey(key)], [token]),
    async read(key) {
      const [held, leftMs] = await run<[string, number] | null>(scripts.read, [leaseKey(key)], []) ?? [];
      return held === undefined || leftMs === undefined ? undefined : { ...leaseFrom(held), leftMs };
    },
    set(key, value, { ttlMs, fence }) {
      const { key: lease, token } = fencing(fence);
      return did(scripts.set, [lease, valueKey(key), kindKey(kindOf(key))], [token, value, ttlMs, key]);
    },
    get: async (key) => await connection.ask((client) => client.get(valueKey(key))) ?? undefined,
    delete(key, { fence } = {}) {
      const { key: lease, token } = fencing(fence);
      return did(scripts.remove, [lease, valueKey(key), kindKey(kindOf(key))], [token, key]);
    },
    keys: (kind) => run(scripts.keys, [kindKey(kind)], []),
    [Symbol.asyncDispose]: connection.close,
  };
}

function leaseFrom(text: string): Lease {
  const space = text.indexOf(" ");
  return { token: Number(text.slice(0, space)), value: text.slice(space + 1) };
}

interface Connection {
  /** For how long there is one, or for the first one there could have been, milliseconds; 0 when there is none. */
  readonly upMs: number;
  /** Asks Redis; rejects with a StoreError. */
  ask<T>(question: (client: RedisClientType) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

function connectRedis({ url, clock, log: parent }: RedisStoreOptions): Connection {
  const { host } = new URL(url); // the rest may hold a password
  const log = parent.child({ redis: host });
  const over = new AbortController();
  let client: RedisClientType | undefined;
  /** Why the last attempt to connect failed; undefined while there was none since the connection was lost. */
  let failure: unknown;
  let attempt: Promise<void> = Promise.resolve();
  let answeredAtMs = -Infinity;
  let connectedAtMs = -Infinity;
  let connecting = connect();

  /** Settles when there is a connection, or there is to be none. */
  async function connect(): Promise<void> {
    for (let attempts = 0; !over.signal.aborted; attempts++) {
      attempt = tryOnce();
      await attempt;
      if (client) return;
      const pauseMs = backoffMs[Math.min(attempts, backoffMs.length - 1)] ?? 0;
      await clock.sleep(pauseMs, { signal: over.signal }).catch(() => {}); // it is over: the loop ends
    }
  }

  async function tryOnce(): Promise<void> {
    try {
      client = await connectOnce();
      if (failure !== undefined) log.info({}, "Redis is there again");
      failure = undefined;
    } catch (error) {
      if (failure === undefined && !over.signal.aborted) {
        log.warn({ error }, "Redis cannot be reached; it is tried again");
      }
      failure = error;
    }
  }

  async function connectOnce(): Promise<RedisClientType> {
    const candidate: RedisClientType = createClient({
      url,
      disableOfflineQueue: true,
      maintNotifications: "disabled",
      socket: { reconnectStrategy: false, connectTimeout: connectMs },
    });
    candidate.on("error", (error) => log.debug({ error }, "Redis")); // connect() and "terminated" tell of it, too
    candidate.on("terminated", () => drop(candidate));
    const destroy = () => candidate.destroy();
    over.signal.addEventListener("abort", destroy, { once: true });
    using _late = clock.after(connectMs, destroy); // it may take the connection, and say nothing
    try {
      const connected = await candidate.connect();
      // Who finds it at the first try may trust that the others have had it as long as it is there.
      const isFirst = connectedAtMs === -Infinity && failure === undefined;
      connectedAtMs = clock.now() - (isFirst ? await uptimeMs(connected) : 0);
      return connected;
    } finally {
      over.signal.removeEventListener("abort", destroy);
    }
  }

  /** For how long Redis has been there; 0 where it does not tell. */
  async function uptimeMs(asked: RedisClientType): Promise<number> {
    try {
      const [, seconds = 0] = /^uptime_in_seconds:(\d+)/m.exec(await asked.info("server")) ?? [];
      return Number(seconds) * 1_000;
    } catch (error) {
      log.debug({ error }, "Redis does not tell for how long it has been there");
      return 0;
    }
  }

  function drop(lost: RedisClientType): void {
    lost.destroy();
    if (client !== lost) return;
    client = undefined;
    connecting = connect();
  }

  return {
    get upMs() {
      return client ? clock.now() - connectedAtMs : 0;
    },
    async ask(question) {
      const askedAtMs = clock.now();
      let asked: RedisClientType | undefined;
      const late = Promise.withResolvers<never>();
      const giveUp = () => {
        late.reject(new StoreError(`Redis at ${host} gave no answer within ${answerMs / 1000} s`));
        if (asked && answeredAtMs < askedAtMs) drop(asked);
      };
      // In two halves: a process that stood still reads what has come meanwhile before it gives up.
      let timer = clock.after(answerMs / 2, () => timer = clock.after(answerMs / 2, giveUp));
      using _timer = { [Symbol.dispose]: () => timer[Symbol.dispose]() };
      try {
        // Before the first failure there is hope; afterwards nobody is kept waiting.
        if (!client && failure === undefined) await Promise.race([attempt, late.promise]);
        asked = client;
        if (!asked) throw failure ?? new Error("it is closed");
        const answer = await Promise.race([question(asked), late.promise]);
        answeredAtMs = clock.now();
        return answer;
      } catch (error) {
        if (error instanceof StoreError) throw error;
        throw new StoreError(`Redis at ${host} cannot be asked: ${messageOf(error)}`, { cause: error });
      }
    },
    async close() {
      over.abort();
      await connecting;
      client?.destroy();
    },
  };
}
