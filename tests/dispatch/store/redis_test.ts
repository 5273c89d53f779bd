/** The store in a real redis-server. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { createClient } from "@redis/client";
import { systemClock as clock } from "../../../src/clock.ts";
import { redisStore } from "../../../src/dispatch/store/redis.ts";
import { startRedisServer } from "../../e2e/redis_server.ts";
import { fakeLog, silentLog } from "../../fakes/log.ts";
import { describeStore } from "./contract.ts";

const redis = await startRedisServer();
/** The server is started and stopped again by tests, and belongs to all of them. */
const options = { ignore: redis === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await redis?.[Symbol.asyncDispose]());

const open = (url = redis?.url ?? "") => redisStore({ url, clock, log: silentLog });

describeStore("the store in Redis", async () => {
  await redis?.stop(); // to be empty
  await redis?.start();
  const [store, other] = [open(), open()];
  return {
    store,
    other,
    pass,
    async [Symbol.asyncDispose]() {
      await Promise.all([store[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    },
  };
}, options);

describe("the store in Redis", options, () => {
  it("fails in words while Redis is away, at once, and goes on when it is back, with greater tokens", async () => {
    await using store = open();
    const before = await store.take("claim:r", "", 60_000);
    await redis?.stop();
    await assertRejects(() => store.read("claim:r"), /^StoreError: Redis at 127\.0\.0\.1:\d+ /);
    const beganMs = clock.now();
    await assertRejects(() => store.get("note:r"), /cannot be asked/);
    assert(clock.now() - beganMs < 500, "it was waited for what is away");
    await redis?.start();
    const after = await eventually(() => store.take("claim:r", "", 60_000));
    assertEquals(after.type, "taken");
    assert(after.token > before.token, `${after.token} is not greater than ${before.token}`);
  });

  it("waits for a while for one that stands still, and comes back to it", async () => {
    await using store = open();
    assertEquals(await store.read("claim:still"), undefined);
    redis?.signal("SIGSTOP");
    const beganMs = clock.now();
    await assertRejects(() => store.read("claim:still"), /gave no answer within 1.5 s/);
    const waitedMs = clock.now() - beganMs;
    assert(waitedMs > 1_400, `${waitedMs} ms`);
    redis?.signal("SIGCONT");
    assertEquals(await eventually(() => store.read("claim:still")), undefined);
    assert(store.reachableMs < clock.now() - beganMs, `${store.reachableMs} ms`);
  });

  it("is known, by who has just come, to have been there as long as Redis", async () => {
    const upMs = await eventually(async () => {
      const client = await createClient({ url: redis?.url ?? "" }).connect();
      const [, seconds] = /uptime_in_seconds:(\d+)/.exec(await client.info("server")) ?? [];
      client.destroy();
      assert(Number(seconds) >= 1);
      return Number(seconds) * 1_000;
    });
    await using store = open();
    await store.read("claim:r");
    assert(store.reachableMs >= upMs, `${store.reachableMs} ms`);
  });

  it("is refused in words that hold no password, and ends also while it tries to connect", async () => {
    const log = fakeLog();
    const url = new URL(redis?.url ?? "redis://none");
    url.password = "wrong-password";
    await using store = redisStore({ url: url.href, clock, log });
    const error = await store.read("claim:r").catch((error: Error) => error);
    assert(error instanceof Error && /WRONGPASS|invalid/.test(error.message), String(error));
    assert(!JSON.stringify([error.message, log.lines]).includes("wrong-password"));
    await using _away = open("redis://127.0.0.1:9");
  });
});

/** Makes Redis believe that so many milliseconds have passed: what expires, and what is sorted by time, comes nearer. */
async function pass(ms: number): Promise<void> {
  const client = await createClient({ url: redis?.url ?? "" }).connect();
  for (const key of await client.keys("*")) {
    const ttlMs = await client.pTTL(key);
    if (ttlMs >= 0) await client.pExpire(key, ttlMs - ms);
    if (await client.type(key) !== "zset") continue;
    for (const member of await client.zRange(key, 0, -1)) await client.zIncrBy(key, -ms, member);
  }
  client.destroy();
}

/** What `attempt` settles with once it does not reject. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0;; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (i === 100) throw error;
      await clock.sleep(50);
    }
  }
}
