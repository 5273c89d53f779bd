/** An answer for which the model may call tools: it is asked, its calls are made, and it is asked again. */
import { abortable, untilAborted } from "../abort.ts";
import {
  type LanguageEvent,
  type LanguageModel,
  type Message,
  newCallId,
  sumTokens,
  type TokenUsage,
  type ToolCall,
  type ToolChoice,
} from "../llm/llm.ts";
import { createQueue } from "../queue.ts";
import { type ToolSet, toolSpecs } from "../tool.ts";
import type { ToolHost } from "./host.ts";
import type { ToolResult } from "./result.ts";
import type { ToolRunner } from "./runner.ts";

type Finish = Extract<LanguageEvent, { type: "finish" }>;

/** What an answer consists of, in order; `finish` is the last of a whole one. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  /** The answer waits for the end of the user's turn, since these calls may have an effect. */
  | { readonly type: "tools-held"; readonly calls: readonly ToolCall[] }
  /** These calls are being made. */
  | { readonly type: "tools-called"; readonly calls: readonly ToolCall[] }
  /** What the model is told of them, in their order; "running" for one that takes longer than the answer waits. */
  | { readonly type: "tools-finished"; readonly results: readonly ToolResult[] }
  /** `usage`: of all requests together, as far as they were counted; `steps`: how often tools were called. */
  | {
    readonly type: "finish";
    readonly reason: Finish["reason"];
    readonly usage?: TokenUsage;
    readonly steps: number;
  };

export interface AnswerOptions<UserData> {
  readonly generate: LanguageModel["generate"];
  /** What the model is told before what this answer does, whose calls have the ids `own`; asked for with each request. */
  readonly messages: (own: ReadonlySet<string>) => readonly Message[];
  /** Whether a call has that id which is told no more (default: no). */
  readonly isTaken?: (callId: string) => boolean;
  readonly tools: ToolSet<UserData>;
  /** For the first request; after it the model may do as it sees fit. */
  readonly toolChoice?: ToolChoice | undefined;
  readonly runner: ToolRunner<UserData>;
  readonly host: ToolHost<UserData>;
  readonly turnId: string;
  /** How often the model may call tools before it must answer in words (default 5). */
  readonly maxSteps?: number;
  /** Aborts when the user interrupts the answer, or it is not wanted any more. */
  readonly signal: AbortSignal;
  /**
   * Settles when the user's turn is sure to be over, for an answer that is prepared before; until then tools with an effect
   * wait, and nothing is heard of the others.
   */
  readonly committed?: Promise<unknown> | undefined;
}

/**
 * The answer, and what is done for it; it goes on whether or not it is read. It fails as the model does, with the signal's
 * reason when that aborts; calls that must not be stopped go on then, as the runner's.
 */
export function answerWithTools<UserData>(options: AnswerOptions<UserData>): ReadableStream<AnswerEvent> {
  const cut = new AbortController();
  const events = createQueue<AnswerEvent>((reason) => cut.abort(reason));
  const signal = AbortSignal.any([options.signal, cut.signal]);
  // Not as it is read: a tool begins when the model asks for it, not when the words before it were spoken.
  const run = async () => {
    for await (const event of steps({ ...options, signal })) events.push(event);
  };
  run().then(() => events.end(), (error: unknown) => events.end({ error }));
  return events.readable;
}

async function* steps<UserData>(
  {
    generate,
    tools,
    runner,
    host,
    turnId,
    maxSteps = 5,
    signal,
    committed,
    isTaken = () => false,
    ...options
  }: AnswerOptions<UserData>,
): AsyncGenerator<AnswerEvent> {
  const specs = toolSpecs(tools);
  /** What this answer has done so far. */
  const done: Message[] = [];
  const own = new Set<string>();
  let toolChoice = options.toolChoice;
  let usage: TokenUsage | undefined;
  let isCommitted = committed === undefined;
  committed?.then(() => isCommitted = true, () => {});

  for (let step = 0;; step++) {
    const mustAnswer = step >= maxSteps;
    if (mustAnswer) toolChoice = "none";
    let said = "";
    let reason: Finish["reason"] = "other";
    const calls: ToolCall[] = [];
    const isUsed = (id: string) =>
      own.has(id) || runner.resultOf(id) !== undefined || isTaken(id) ||
      request.messages.some((message) => message.role === "tool" && message.callId === id);
    const request = {
      messages: runner.updated([...options.messages(own), ...done]),
      ...(specs.length > 0 && { tools: specs }),
      ...(toolChoice && { toolChoice }),
    };
    for await (const event of untilAborted(generate(request, { signal }), signal)) {
      if (event.type === "text") {
        said += event.text;
        yield event;
      } else if (event.type === "finish") {
        reason = event.reason;
        usage = sumTokens(usage, event.usage);
      } else {
        const { type: _, ...call } = event;
        // Some models begin anew with each answer; others give none.
        const id = call.id === "" || isUsed(call.id) ? newCallId() : call.id;
        own.add(id);
        calls.push({ ...call, id });
      }
    }
    signal.throwIfAborted(); // a stream that is let go of may look as if it had ended
    if (calls.length === 0 || mustAnswer || reason === "content-filter") {
      return yield { type: "finish", reason, ...(usage && { usage }), steps: step };
    }
    // What was said so far is spoken now, not with what comes after the tools.
    if (/\S$/.test(said)) yield { type: "text", text: "\n" };
    if (!isCommitted && calls.some(({ name }) => hasEffect(tools, name))) {
      yield { type: "tools-held", calls };
      await abortable(Promise.resolve(committed), signal);
      isCommitted = true;
    }
    const results = runner.run(calls, {
      turnId,
      tools,
      host,
      signal,
      ...(!isCommitted && { committed }),
    });
    yield { type: "tools-called", calls };
    const told = await abortable(results, signal);
    yield { type: "tools-finished", results: told };
    if (host.isOver) {
      if (!isCommitted) await abortable(Promise.resolve(committed), signal);
      return yield { type: "finish", reason, ...(usage && { usage }), steps: step + 1 };
    }
    done.push({ role: "assistant", content: said.trim(), toolCalls: calls });
    for (const { callId, content, images } of told) {
      done.push({ role: "tool", callId, content, ...(images && { images }) });
    }
    toolChoice = undefined;
  }
}

/** Asking the user is an effect too. */
function hasEffect(tools: ToolSet, name: string): boolean {
  const found = Object.hasOwn(tools, name) ? tools[name] : undefined;
  return found !== undefined && (found.effect !== "none" || found.confirm !== undefined);
}
