/** What servers keep of their sessions in Redis, for the case that one of them goes. */
import { systemClock as clock } from "../../src/clock.ts";
import { redisStore } from "../../src/dispatch/store/redis.ts";
import { StoreError } from "../../src/dispatch/store/store.ts";
import { silentLog as log } from "../fakes/log.ts";
import { until } from "./caller.ts";

/** Settles when what is kept of a session has `text`. */
export async function untilKept(redisUrl: string, text: string): Promise<void> {
  await using store = redisStore({ url: redisUrl, clock, log });
  const isKept = async () => {
    try {
      const kept = await Promise.all((await store.keys("session")).map(store.get));
      return kept.some((value) => value?.includes(text));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return false; // a machine that runs many tests is slow
    }
  };
  await until(isKept, `${text} to be kept`, 15_000);
}
