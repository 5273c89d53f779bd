/**
 * The calls of a benchmark, all in this process: `calls.ts '{"url": …}'`. Writes a CallEvent a line on standard output.
 *
 * A caller waits in the room, has an agent sent there, hears its greeting, takes turns with it and then interrupts its
 * long answers. Times are what a person at the microphone would measure: from a sample that leaves for LiveKit to a
 * sample that came out of the decoder.
 */
import { AccessToken } from "livekit-server-sdk";
import { type Caller, joinCaller, until } from "../e2e/caller.ts";
import { type Clip, CLIP_NAMES, loadClip } from "../fixtures/speech.ts";

/** What is to be called, and how often. */
export interface CallPlan {
  readonly livekit: { readonly url: string; readonly apiKey: string; readonly apiSecret: string };
  /** Where the server is. */
  readonly url: string;
  readonly calls: number;
  /** Plain turns of each call, and then interrupted ones. */
  readonly turns: number;
  readonly bargeIns: number;
}

/** What was measured, in milliseconds; undefined: it did not happen in time, or too early. */
export type CallEvent =
  | { readonly type: "greeting"; readonly joinedMs?: number; readonly heardMs?: number }
  /** Every call has its greeting, or will not have one. */
  | { readonly type: "all-greeted" }
  /** From the last voiced sample to the answer. */
  | { readonly type: "turn"; readonly heardMs?: number }
  /** From the first voiced sample to the agent's last sound; and then from the last voiced sample to the next answer. */
  | { readonly type: "barge-in"; readonly silentMs?: number; readonly heardMs?: number }
  | { readonly type: "all-done" };

/** Calls begin this far apart. */
const apartMs = 500;
/** Longer than any pause between the words of an answer. */
const quietMs = 300;
const patienceMs = 8_000;
/** How far into the answer it is interrupted. */
const interruptAfterMs = 2_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const tell = (event: CallEvent) => console.log(JSON.stringify(event));

/** What `promise` settles with; undefined when it waited in vain, which is a measurement too. */
export async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    console.error(String(error));
    return undefined;
  }
}

/** Sends the default agent to `room`. */
export async function dispatch(plan: Pick<CallPlan, "livekit" | "url">, room: string): Promise<void> {
  const token = new AccessToken(plan.livekit.apiKey, plan.livekit.apiSecret, { identity: "bench" });
  token.addGrant({ room, roomAdmin: true });
  const response = await fetch(`${plan.url}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify({ room }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`POST /dispatch: ${response.status} ${answer}`);
}

/** Joins, has the agent sent, and waits for its greeting to end. */
async function begin(plan: CallPlan, n: number): Promise<Caller | undefined> {
  await sleep(n * apartMs);
  const room = `bench-${n}-${crypto.randomUUID()}`;
  const caller = await joinCaller({ ...plan.livekit, roomName: room, identity: `caller-${n}` });
  const dispatchedMs = performance.now();
  const joining = inTime(until(() => caller.agent() && performance.now(), "the agent", patienceMs));
  const greeting = inTime(caller.untilSpeech({ sinceMs: dispatchedMs, timeoutMs: patienceMs }));
  await inTime(dispatch(plan, room));
  const joinedAtMs = await joining;
  const heardAtMs = await greeting;
  tell({
    type: "greeting",
    ...(joinedAtMs !== undefined && { joinedMs: joinedAtMs - dispatchedMs }),
    ...(heardAtMs !== undefined && { heardMs: heardAtMs - dispatchedMs }),
  });
  if (heardAtMs === undefined) {
    await caller.leave();
    return undefined;
  }
  await inTime(caller.untilQuiet());
  return caller;
}

/** Begins to speak now; where the voice in it begins and ends, and when all was sent. */
function say(caller: Caller, clip: Clip) {
  const nowMs = performance.now();
  return { fromMs: nowMs + clip.startMs, untilMs: nowMs + clip.endMs, sent: caller.speak(clip.samples) };
}

/** One turn; the time at which its answer was heard, if it was, and not before the caller had finished. */
async function takeTurn(caller: Caller, clip: Clip): Promise<number | undefined> {
  await inTime(caller.untilQuiet({ quietMs: 700 }));
  const { fromMs, untilMs, sent } = say(caller, clip);
  const heardAtMs = await inTime(caller.untilSpeech({ sinceMs: fromMs, timeoutMs: clip.endMs + patienceMs }));
  await sent;
  const heardMs = heardAtMs === undefined || heardAtMs < untilMs ? undefined : heardAtMs - untilMs;
  tell({ type: "turn", ...(heardMs !== undefined && { heardMs }) });
  return heardMs === undefined ? undefined : heardAtMs;
}

async function interrupt(caller: Caller, clip: Clip, answerAtMs: number): Promise<void> {
  await sleep(answerAtMs + interruptAfterMs - performance.now());
  const { fromMs, untilMs, sent } = say(caller, clip);
  const silentAtMs = await inTime(caller.untilQuiet({ quietMs, timeoutMs: patienceMs }));
  await sent;
  if (silentAtMs === undefined || silentAtMs < fromMs) return tell({ type: "barge-in" });
  const sinceMs = silentAtMs + quietMs;
  const heardAtMs = await inTime(caller.untilSpeech({ sinceMs, timeoutMs: patienceMs }));
  const silentMs = silentAtMs - fromMs;
  tell({ type: "barge-in", silentMs, ...(heardAtMs !== undefined && { heardMs: heardAtMs - untilMs }) });
}

/** Turns that a call did not get to have failed. */
function failAll({ turns, bargeIns }: CallPlan): void {
  for (let turn = 0; turn < turns + bargeIns; turn++) tell({ type: "turn" });
  for (let turn = 0; turn < bargeIns; turn++) tell({ type: "barge-in" });
}

async function converse(caller: Caller, clips: readonly Clip[], n: number, plan: CallPlan): Promise<void> {
  const clip = (turn: number): Clip => clips[(n + turn) % clips.length] as Clip;
  for (let turn = 0; turn < plan.turns; turn++) {
    await takeTurn(caller, clip(turn));
    await sleep(500 * Math.random()); // or the calls would fall into step
  }
  for (let turn = 0; turn < plan.bargeIns; turn++) {
    const answerAtMs = await takeTurn(caller, clip(turn));
    if (answerAtMs === undefined) tell({ type: "barge-in" });
    else await interrupt(caller, clip(turn + 1), answerAtMs);
  }
}

if (import.meta.main) {
  const plan: CallPlan = JSON.parse(Deno.args[0] ?? "");
  const clips = await Promise.all(CLIP_NAMES.map(loadClip));
  const callers = await Promise.all(Array.from({ length: plan.calls }, (_, n) => begin(plan, n)));
  tell({ type: "all-greeted" });
  await Promise.all(callers.map((caller, n) => caller ? converse(caller, clips, n, plan) : failAll(plan)));
  tell({ type: "all-done" });
  await Promise.all(callers.map((caller) => caller?.leave()));
  Deno.exit(0); // the native client keeps threads
}
