/** Whether Redis is there, and runs what is asked of it. */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { redisStore } from "../dispatch/store/redis.ts";
import { messageOf } from "../errors.ts";
import { silentLog } from "../log.ts";
import { type Check, failed, ok } from "./check.ts";

const leaseMs = 1_000;

/** None without REDIS_URL. */
export function redisChecks({ redisUrl: url }: Pick<Config, "redisUrl">, clock: Clock): Check[] {
  if (url === undefined) return [];
  const run: Check["run"] = async () => {
    await using store = redisStore({ url, clock, log: silentLog });
    const key = `doctor:${crypto.randomUUID()}`;
    try {
      const taken = await store.take(key, "", leaseMs);
      if (taken.type === "taken") await store.release(key, taken.token);
      return ok(`${new URL(url).host} gives leases`);
    } catch (error) {
      return failed(
        `${messageOf(error)}; no call is taken without it: check REDIS_URL, or whether Redis runs`,
      );
    }
  };
  return [{ name: "redis", run }];
}
