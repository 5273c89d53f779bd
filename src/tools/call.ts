/** One call of a tool, from the model's request to the one result it gets. */
import type { Clock } from "../clock.ts";
import { asStageError, messageOf, StageError } from "../errors.ts";
import { handoffIn } from "../handoff.ts";
import { isTaskOver } from "../task.ts";
import type { ToolCall } from "../llm/llm.ts";
import type { Tool, ToolContext } from "../tool.ts";
import { callAtWork } from "./at_work.ts";
import type { ToolHost } from "./host.ts";
import { tooOftenWords } from "./repeats.ts";
import {
  failureInWords,
  isImage,
  pendingWords,
  resultInWords,
  type ToolOutcome,
  type ToolResult,
} from "./result.ts";
import { issuesInWords } from "./schema.ts";

/** A call that was made. */
export interface RunningCall {
  readonly call: ToolCall;
  /** As it is now: one result at every moment, "running" until there is another. */
  readonly result: ToolResult;
  /** Whether the tool is, or was, at work: with effect "once" it is not stopped any more. */
  readonly begun: boolean;
  /** Settles with the last result; never rejects. */
  readonly done: Promise<ToolResult>;
  /** Settles with the result to go on with: the last one, or "running" when that takes too long. Never rejects. */
  readonly awaited: Promise<ToolResult>;
}

export interface CallOptions<UserData> {
  readonly call: ToolCall;
  /** Missing when there is none of that name. */
  readonly tool: Tool<UserData> | undefined;
  /** The names there are. */
  readonly names: readonly string[];
  readonly host: ToolHost<UserData>;
  readonly idempotencyKey: string;
  /** It was made too often: nothing is done. */
  readonly tooOften: boolean;
  /** The calls of effect "once" that were begun, or are about to be, by their keys. */
  readonly once: Map<string, RunningCall>;
  /** Settles, soon, when it is written down that a call of effect "once" begins (default: nothing is written down). */
  readonly written?: (() => Promise<void>) | undefined;
  readonly clock: Clock;
  /** Aborts when the user interrupts the answer that the call is made for. */
  readonly signal: AbortSignal;
  /** Aborts when the session ends. */
  readonly ended: AbortSignal;
  /** Settles when the user's turn is sure to be over; until then nothing is heard of the call. Missing: it is. */
  readonly committed?: Promise<unknown> | undefined;
  readonly onError: (error: StageError) => void;
  /** Told of the last result; `late`: the answer has gone on without it. */
  readonly onDone: (result: ToolResult, late: boolean) => void;
}

/** By the user, or because it failed: the model is not told what did not happen. */
const cutOffWords = "The answer that this was for was cut off, and this was cancelled: there is no result.";

/** How long a call that must not be stopped may go on after the session has ended, in milliseconds. */
const graceMs = 2_000;
/** How long a call may take whose heartbeats are heard, unless its tool's patience is longer; milliseconds. */
const longestMs = 120_000;

/** Makes a call; whatever happens, it gets one last result. */
export function startCall<UserData>(options: CallOptions<UserData>): RunningCall {
  const { call, tool, host, idempotencyKey, once, clock, signal, ended, onError } = options;
  const { id: callId, name } = call;
  const own = new AbortController();
  const done = Promise.withResolvers<ToolResult>();
  const awaited = Promise.withResolvers<ToolResult>();
  let result: ToolResult = { callId, name, outcome: "running", content: pendingWords };
  let over = false;
  let late = false;
  /** From then on a call of effect "once" is not stopped. Clock milliseconds. */
  let begunMs: number | undefined;
  let timer: Disposable | undefined;
  let detached = false;
  const self: RunningCall = {
    call,
    get result() {
      return result;
    },
    get begun() {
      return begunMs !== undefined;
    },
    done: done.promise,
    awaited: awaited.promise,
  };

  const settle = (outcome: ToolOutcome, content: string, value?: unknown) => {
    if (over) return;
    over = true;
    timer?.[Symbol.dispose]();
    signal.removeEventListener("abort", interrupt);
    ended.removeEventListener("abort", end);
    if (begunMs === undefined && once.get(idempotencyKey) === self) once.delete(idempotencyKey);
    result = {
      callId,
      name,
      outcome,
      content,
      ...(outcome === "done" && { value }),
      ...(isImage(value) && { images: [value] }),
    };
    done.resolve(result);
    awaited.resolve(result);
    options.onDone(result, late);
  };
  const stop = (outcome: "timed-out" | "cancelled", content: string, reason: unknown) => {
    settle(outcome, content);
    own.abort(reason);
  };
  const goOnWithout = () => {
    late = true;
    awaited.resolve(result);
  };
  const mustFinish = () => begunMs !== undefined && (detached || tool?.effect === "once");
  const interrupt = () => {
    if (mustFinish()) goOnWithout();
    else stop("cancelled", cutOffWords, signal.reason);
  };
  const end = () => {
    if (!mustFinish()) {
      return stop("cancelled", "The conversation ended, and this was cancelled.", ended.reason);
    }
    goOnWithout();
    timer?.[Symbol.dispose]();
    timer = clock.after(graceMs, () => {
      settle("cancelled", "The conversation ended before this did; whether it was done is not known.");
    });
    own.abort(ended.reason);
  };
  const takesTooLong = (ms: number) => {
    const seconds = `${ms / 1_000} s`;
    if (mustFinish()) {
      result = { ...result, content: `This takes longer than ${seconds}. ${pendingWords}` };
      return goOnWithout();
    }
    const error = new StageError("agent", `the tool ${JSON.stringify(name)} took longer than ${seconds}`);
    stop("timed-out", `This took longer than ${seconds} and was stopped: there is no result.`, error);
    onError(error);
  };
  /** Waits for the tool, from now on. */
  const wait = ({ timeoutMs }: Tool<UserData>) => {
    if (detached) return;
    const nowMs = clock.now();
    begunMs ??= nowMs;
    const leftMs = begunMs + Math.max(longestMs, timeoutMs) - nowMs;
    timer?.[Symbol.dispose]();
    timer = clock.after(Math.min(timeoutMs, leftMs), () => takesTooLong(timeoutMs));
  };
  const fail = (error: unknown) => {
    if (over) return;
    settle("failed", failureInWords(error));
    onError(
      new StageError("agent", `the tool ${JSON.stringify(name)} failed: ${messageOf(error)}`, {
        cause: error,
      }),
    );
  };

  /** What the user notices of a call waits until their turn is over, and is left out once nobody waits for the call. */
  const noticeably = (act: () => void) => {
    const unless = () => {
      if (!over && !signal.aborted && !ended.aborted) act();
    };
    if (!options.committed) return unless();
    options.committed.then(unless).catch((error: unknown) => onError(asStageError("agent", error)));
  };
  const ctx: ToolContext<UserData> = {
    session: host.session,
    userdata: host.userdata,
    name,
    callId,
    idempotencyKey,
    signal: own.signal,
    progress: (text) => {
      if (text.trim() !== "") noticeably(() => host.say(text, { callId, name }));
    },
    heartbeat() {
      if (tool && !over && !late) wait(tool);
    },
    disallowInterruptions: () => noticeably(() => host.disallowInterruptions()),
  };

  const isAgreed = async ({ confirm, description }: Tool<UserData>, args: unknown): Promise<boolean> => {
    if (!confirm) return true;
    const question = typeof confirm === "function" ? { question: confirm(args) } : {};
    return await host.confirm({ callId, name, description, arguments: args, ...question }, {
      signal: own.signal,
    });
  };

  const atWork = {
    get isAtWork() {
      return !over;
    },
    async detach() {
      await options.committed;
      if (detached || over) return;
      detached = true;
      timer?.[Symbol.dispose]();
      host.detach(callId);
      goOnWithout();
    },
  };

  const perform = async (): Promise<void> => {
    if (options.tooOften) return settle("invalid", tooOftenWords);
    if (!tool) {
      const known = options.names.map((known) => JSON.stringify(known)).join(", ") || "none";
      return settle("invalid", `There is no tool ${JSON.stringify(name)}; there are: ${known}.`);
    }
    if (call.malformed !== undefined) {
      return settle(
        "invalid",
        "Nothing was done: the arguments are no JSON. Call it again with a JSON object.",
      );
    }
    const checked = await tool.validate(call.arguments);
    if (over) return;
    if (checked.issues) {
      const issues = issuesInWords(checked.issues);
      return settle(
        "invalid",
        `Nothing was done: the arguments are wrong (${issues}). Call it again with others.`,
      );
    }
    if (tool.effect === "once") {
      const before = once.get(idempotencyKey);
      if (before) return join(before, tool);
      once.set(idempotencyKey, self);
    }
    const agreed = await isAgreed(tool, checked.value);
    if (over) return;
    if (!agreed) return settle("declined", "Nothing was done: the user was asked, and did not agree.");
    wait(tool);
    if (tool.effect === "once" && options.written) {
      await options.written();
      if (over || ended.aborted) return settle("cancelled", "The conversation ended, and nothing was done.");
    }
    const value = await callAtWork.run(atWork, () => tool.execute(checked.value, ctx));
    if (over) return;
    const next = isTaskOver(value) ? value : handoffIn(value);
    settle("done", next ? host.handOff(callId, next) : resultInWords(value), value);
  };

  /** The same call was made before in this turn: it has one effect, and both have its result. */
  const join = (before: RunningCall, tool: Tool<UserData>) => {
    wait(tool);
    void before.done.then(({ outcome, content, value }) => {
      const twice = outcome === "cancelled"
        ? ""
        : " (This was called twice with the same arguments, and done once.)";
      settle(outcome, `${content}${twice}`, value);
    });
  };

  signal.addEventListener("abort", interrupt, { once: true });
  ended.addEventListener("abort", end, { once: true });
  if (ended.aborted) end();
  else if (signal.aborted) interrupt();
  else perform().catch(fail);
  return self;
}
