/** A claim that is held in a real redis-server, some of whose answers are lost. */
import { assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { type HeldSession, readClaimed } from "../../src/dispatch/held.ts";
import { holdLease, leaseMs } from "../../src/dispatch/hold.ts";
import { redisStore } from "../../src/dispatch/store/redis.ts";
import { startRedisProxy } from "../e2e/redis_proxy.ts";
import { startRedisServer } from "../e2e/redis_server.ts";
import { silentLog as log } from "../fakes/log.ts";

const redis = await startRedisServer();
afterAll(async () => await redis?.[Symbol.asyncDispose]());

const session: HeldSession = {
  sessionId: "session_1",
  room: "r",
  agent: "assistant",
  state: "connected",
  metadata: "",
};
const key = "claim:r";

describe(
  "a claim that is taken again",
  { ignore: !redis, sanitizeOps: false, sanitizeResources: false },
  () => {
    it("is its holder's, though the answer that said so was lost", async () => {
      if (!redis) return;
      await using proxy = startRedisProxy(redis.url);
      await using store = redisStore({ url: proxy.url, clock, log });
      await using other = redisStore({ url: redis.url, clock, log });
      const askedAtMs = clock.now();
      const { token } = await store.take(key, JSON.stringify(session), leaseMs);
      const hold = holdLease({
        store,
        lease: { key, token, askedAtMs },
        key: () => key,
        describe: () => session,
        isAlone: () => true,
        clock,
        log,
      });
      await other.release(key, token); // as if it had lapsed
      proxy.loseAnswerTo("repartee:token"); // which only who takes a claim names
      hold.tell();
      while (hold.fence.token === token && !hold.lost.aborted) await clock.sleep(20);
      assertEquals([hold.lost.aborted, proxy.lost], [false, 1]);
      const held = await other.read(key);
      assertEquals(held?.token, hold.fence.token);
      assertEquals(readClaimed(held?.value ?? "").sessionId, "session_1");
      await hold.release();
      assertEquals(await other.read(key), undefined);
    });
  },
);
