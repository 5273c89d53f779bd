/** Whether this machine's clock is right: a token that is signed by a wrong one is refused. */
import type { Config } from "../config.ts";
import { type KeyedProvider, keyedProviders } from "../keys.ts";
import { ask, httpAddress } from "./ask.ts";
import { type Check, failed, ok, warning } from "./check.ts";
import { serverOf } from "./providers.ts";

const mostSeconds = 30;

/** By LiveKit's clock; without LiveKit, by the first provider's that has a key; none without either. */
export function clockChecks(config: Config): Check[] {
  const providers = (Object.keys(keyedProviders) as KeyedProvider[]).filter((name) => config[name].apiKey);
  const servers = [
    config.livekit && httpAddress(config.livekit.url),
    ...providers.map((name) => serverOf(name, config[name])),
  ];
  const server = servers.find((address) => address !== undefined);
  if (server === undefined) return [];
  const { origin, host } = new URL(server);
  const run: Check["run"] = async ({ signal }) => {
    const { aheadSeconds } = await ask(origin, { signal });
    if (aheadSeconds === undefined) return warning(`${host} does not say what time it is there`);
    const seconds = Math.abs(aheadSeconds);
    if (seconds <= mostSeconds) return ok(`within ${Math.max(1, seconds)} s of that of ${host}`);
    const where = aheadSeconds > 0 ? "ahead of" : "behind";
    return failed(
      `this machine's clock is ${seconds} s ${where} that of ${host}: tokens that are signed here are refused ` +
        `there as not yet or no longer valid; set the clock, by NTP`,
    );
  };
  return [{ name: "clock", run }];
}
