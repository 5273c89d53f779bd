/** What servers keep of their sessions in Redis, for the case that one of them goes. */
import { systemClock as clock } from "../../src/clock.ts";
import { redisStore } from "../../src/dispatch/store/redis.ts";
import { silentLog as log } from "../fakes/log.ts";
import { until } from "./caller.ts";

/** Settles when what is kept of a session has `text`. */
export async function untilKept(redisUrl: string, text: string): Promise<void> {
  await using store = redisStore({ url: redisUrl, clock, log });
  const isKept = async () => {
    for (const key of await store.keys("session")) if ((await store.get(key))?.includes(text)) return true;
    return false;
  };
  await until(isKept, `${text} to be kept`, 15_000);
}
