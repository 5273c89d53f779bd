/**
 * Many short calls, a few at a time, all in this process: `short_calls.ts '{"url": …}'`. A caller has an agent sent, hears
 * the first of its greeting and leaves. Writes a ShortCall a line on standard output.
 */
import { joinCaller } from "../e2e/caller.ts";
import { type CallPlan, dispatch, inTime } from "./calls.ts";

export interface ShortCallsPlan extends Pick<CallPlan, "livekit" | "url" | "calls"> {
  /** Calls at the same time. */
  readonly atOnce: number;
}

/** A call that is over; `greeted`: the agent was heard in time. */
export interface ShortCall {
  readonly greeted: boolean;
}

const patienceMs = 10_000;

async function call(plan: ShortCallsPlan): Promise<ShortCall> {
  const room = `short-${crypto.randomUUID()}`;
  await using caller = await joinCaller({ ...plan.livekit, roomName: room });
  const greeting = inTime(caller.untilSpeech({ timeoutMs: patienceMs }));
  await dispatch(plan, room);
  return { greeted: await greeting !== undefined };
}

const plan: ShortCallsPlan = JSON.parse(Deno.args[0] ?? "");
let left = plan.calls;
await Promise.all(Array.from({ length: plan.atOnce }, async () => {
  while (left-- > 0) console.log(JSON.stringify(await call(plan)));
}));
Deno.exit(0); // the native client keeps threads
