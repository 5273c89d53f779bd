import { assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { runChecks } from "../../src/doctor/check.ts";
import { redisChecks } from "../../src/doctor/redis.ts";
import { startRedisServer } from "../e2e/redis_server.ts";
import { freePort } from "./emulated.ts";

const redis = await startRedisServer();
afterAll(async () => await redis?.[Symbol.asyncDispose]());

/** What is found; once more where a busy machine was late. */
async function examine(redisUrl: string) {
  for (let attempt = 1;; attempt++) {
    const [found] = await runChecks(redisChecks({ redisUrl }, clock), { secrets: ["s3cret"], clock });
    if (attempt === 5 || !/within \d s/.test(found?.text ?? "")) return `${found?.status}: ${found?.text}`;
  }
}

describe("the doctor at Redis", () => {
  it("takes a lease, and gives it back", { ignore: !redis }, async () => {
    assertMatch(await examine(redis?.url ?? ""), /^ok: 127\.0\.0\.1:\d+ gives leases$/);
  });

  it("says that the password is wrong, and shows none", { ignore: !redis }, async () => {
    const url = new URL(redis?.url ?? "");
    url.password = "s3cret";
    const found = await examine(url.href);
    assertMatch(found, /^failed: Redis at 127\.0\.0\.1:\d+ cannot be asked: .*WRONGPASS.*: check REDIS_URL/);
    assertEquals(found.includes("s3cret"), false);
  });

  it("says that nobody is there", async () => {
    const found = await examine(`redis://127.0.0.1:${freePort()}`);
    assertMatch(
      found,
      /^failed: Redis at 127\.0\.0\.1:\d+ cannot be asked: .*refused.* whether Redis runs$/i,
    );
  });

  it("is not tried without an address", () => assertEquals(redisChecks({}, clock), []));
});
