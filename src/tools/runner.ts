/** The calls of one session: run at the same time, each with one result at every moment, none of effect "once" twice. */
import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { StageError } from "../errors.ts";
import type { Message, ToolCall } from "../llm/llm.ts";
import type { ToolSet } from "../tool.ts";
import { type CallOptions, type RunningCall, startCall } from "./call.ts";
import type { ToolHost } from "./host.ts";
import { createRepeats } from "./repeats.ts";
import { pendingWords, type ToolResult } from "./result.ts";

/** A call of effect "once" that was begun. */
export interface CallRecord extends Pick<ToolResult, "callId" | "name" | "outcome" | "content"> {
  /** Its idempotency key. */
  readonly key: string;
}

export interface ToolRunnerOptions extends Pick<CallOptions<unknown>, "written"> {
  readonly sessionId: string;
  /** Calls that were made before, in another process: they are not made again (default: none). */
  readonly before?: readonly CallRecord[] | undefined;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Told of tools that failed or took too long; the model is told as well. */
  readonly onError: (error: StageError) => void;
  /** Told of each call as it is made, once the user's turn is sure to be over: it belongs in the history. */
  readonly onCall: (call: ToolCall, about: { readonly turnId: string }) => void;
  /**
   * Told of each such call's last result, once, at the moment when there is one; `late`: the answer that the call was made
   * for did not wait for it, and told the model that it is still running.
   */
  readonly onResult: (
    result: ToolResult,
    about: { readonly turnId: string; readonly late: boolean },
  ) => void;
}

/** What the calls of one step are made with. */
export interface StepOptions<UserData> {
  readonly turnId: string;
  readonly tools: ToolSet<UserData>;
  readonly host: ToolHost<UserData>;
  /** Aborts when the user interrupts the answer. */
  readonly signal: AbortSignal;
  /** Settles when the user's turn is sure to be over, if it is not: then no call may have an effect. */
  readonly committed?: Promise<unknown> | undefined;
}

export interface ToolRunner<UserData = unknown> {
  /**
   * Makes `calls`, all at once. Settles with a result for each, in their order, when each is there or takes too long, or the
   * user interrupts; never rejects.
   */
  run(calls: readonly ToolCall[], options: StepOptions<UserData>): Promise<ToolResult[]>;
  /** The calls of effect "once" that are under way, or were made in that turn. */
  records(turnId: string | undefined): CallRecord[];
  /** What is known of a call by now; undefined when there was none. */
  resultOf(callId: string): ToolResult | undefined;
  /** `messages` with the results, as they are now, of calls that were under way. */
  updated(messages: readonly Message[]): Message[];
  /** Whether any call has yet to have its last result. */
  readonly busy: boolean;
  /** Settles when every call has its last result; at most 2 s after the session has ended. */
  idle(): Promise<void>;
}

/** The runner of one session; agents may hand over, the runner stays. */
export function createToolRunner<UserData = unknown>(
  { sessionId, before = [], written, clock, signal: ended, onError, onCall, onResult }: ToolRunnerOptions,
): ToolRunner<UserData> {
  const made = new Map<string, Pick<RunningCall, "result">>();
  const once = new Map(before.map(({ key, ...result }) => [key, madeBefore(result)]));
  const running = new Set<Promise<void>>();
  const isTooOften = createRepeats(clock);

  const run: ToolRunner<UserData>["run"] = async (calls, { turnId, tools, host, signal, committed }) => {
    const tell = teller(committed, signal);
    for (const call of calls) tell(() => onCall(call, { turnId }));
    const step = calls.map((call) => {
      const key = `${call.name}:${digest(call.arguments)}`;
      const started = startCall({
        call,
        tool: Object.hasOwn(tools, call.name) ? tools[call.name] : undefined,
        names: Object.keys(tools),
        host,
        idempotencyKey: `${sessionId}:${turnId}:${key}`,
        tooOften: isTooOften(key),
        once,
        written,
        clock,
        signal,
        ended,
        committed,
        onError,
        onDone: (result, late) => tell(() => onResult(result, { turnId, late })),
      });
      made.set(call.id, started);
      const settled = started.done.then(({ value: _, images: __, ...words }) => {
        made.set(call.id, { result: words }); // what was returned may be large
        running.delete(settled);
      });
      running.add(settled);
      return started;
    });
    return await Promise.all(step.map(({ awaited }) => awaited));
  };

  return {
    run,
    records: (turnId) =>
      [...once].flatMap(([key, { begun, result: { callId, name, outcome, content } }]) => {
        const counts = begun && (outcome === "running" || key.startsWith(`${sessionId}:${turnId}:`));
        return counts ? [{ key, callId, name, outcome, content }] : [];
      }),
    resultOf: (callId) => made.get(callId)?.result,
    updated: (messages) =>
      messages.map((message) => {
        if (message.role !== "tool" || !message.content.endsWith(pendingWords)) return message;
        const result = made.get(message.callId)?.result;
        return result ? { ...message, content: result.content } : message;
      }),
    get busy() {
      return running.size > 0;
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

/** What the model is told of a call that a process which is gone had begun, and of which no result is known. */
export const unknownWords =
  "There was a fault while this was being done: whether it was done is not known. Do not call it again by yourself; tell " +
  "the user.";

function madeBefore(record: Omit<CallRecord, "key">): RunningCall {
  const { callId: id, name, outcome } = record;
  const result: ToolResult = outcome === "running"
    ? { ...record, outcome: "cancelled", content: unknownWords }
    : record;
  const done = Promise.resolve(result);
  return { call: { id, name, arguments: {} }, result, begun: true, done, awaited: done };
}

/**
 * Tells at once what there is to tell; before the turn is sure to be over, keeps it until then, and forgets it when `signal`
 * aborts before.
 */
function teller(
  committed: Promise<unknown> | undefined,
  signal: AbortSignal,
): (what: () => void) => void {
  if (!committed) return (what) => what();
  const kept: (() => void)[] = [];
  let tells: "later" | "now" | "never" = "later";
  committed.then(() => {
    tells = signal.aborted ? "never" : "now";
    if (tells === "now") { for (const what of kept) what(); }
  }, () => {});
  return (what) => {
    if (tells === "later") kept.push(what);
    if (tells === "now") what();
  };
}

/** The same for the same arguments, in whatever order their keys are. */
function digest(args: unknown): string {
  const sorted = JSON.stringify(args, (_, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1));
  });
  return createHash("sha256").update(sorted ?? "").digest("hex").slice(0, 32);
}
