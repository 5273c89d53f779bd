/** Calls that are made at the same time, and what they cost. */
import { readLines } from "../e2e/lines.ts";
import type { CallEvent, CallPlan } from "./calls.ts";
import { type Cost, readCost } from "./process.ts";
import type { Lag, Measured } from "./results.ts";
import { readMetrics, run, type Setting, startReadyServer } from "./setting.ts";

const readCostEveryMs = 2_000;

/** Starts a server and makes `calls` calls at the same time, of so many turns and interrupted turns each. */
export async function measure(
  setting: Setting,
  given: Pick<CallPlan, "calls" | "turns" | "bargeIns">,
): Promise<Measured> {
  const { livekit: { url: livekitUrl, apiKey, apiSecret }, emulators } = setting;
  const { server, url, readyMs } = await startReadyServer(setting);
  await using _ = server;
  const plan: CallPlan = { ...given, livekit: { url: livekitUrl, apiKey, apiSecret }, url };
  const idle = await readCost(server.pid);
  await using callers = run("calls.ts", JSON.stringify(plan));
  const busy = { server: [] as Cost[], callers: [] as Cost[], emulators: [] as Cost[] };
  const pids = { server: server.pid, callers: callers.pid, emulators: emulators.pid };
  const readCosts = async () => {
    for (const name of ["server", "callers", "emulators"] as const) {
      const cost = await readCost(pids[name]);
      if (cost) busy[name].push(cost);
    }
  };
  const events: CallEvent[] = [];
  let lagMs: Lag | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  for await (const line of readLines(callers.stdout)) {
    const event: CallEvent = JSON.parse(line);
    events.push(event);
    if (event.type === "all-greeted") {
      await readCosts();
      timer = setInterval(readCosts, readCostEveryMs);
    }
    if (event.type === "all-done") {
      clearInterval(timer);
      await readCosts();
      lagMs = await readLag(url);
    }
  }
  clearInterval(timer);
  const { success } = await callers.status;
  if (!success) throw new Error(`the callers failed; the server said:\n${server.output.slice(-4_000)}`);
  return {
    calls: given.calls,
    readyMs,
    events,
    log: server.log,
    lagMs,
    costs: {
      server: { idle, busy: busy.server },
      callers: { idle: undefined, busy: busy.callers },
      emulators: { idle: undefined, busy: busy.emulators },
    },
  };
}

/** How late the server's timers were in the last minute. */
async function readLag(url: string): Promise<Lag> {
  const metric = await readMetrics(url);
  const late = (quantile: string) => metric(`event_loop_lag_seconds{quantile="${quantile}"}`) * 1000;
  return { p50: late("0.5"), p99: late("0.99"), max: late("1") };
}
