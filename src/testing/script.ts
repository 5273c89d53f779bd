/** A language model that answers as a test says. */
import type { Clock } from "../clock.ts";
import { asStageError } from "../errors.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, Message } from "../llm/llm.ts";

/** What a model says, and what it calls behind that. */
export interface ScriptedAnswer {
  readonly text?: string;
  readonly toolCalls?: readonly { readonly name: string; readonly arguments?: unknown }[];
  /** Milliseconds until its first word (default 200); Infinity: it never comes. */
  readonly afterMs?: number;
  /** Behind all that, the model fails with it. */
  readonly error?: Error;
}

/** One reply of the model: its words, more than words, a failure, or a function of what it is asked. */
export type ScriptedReply =
  | string
  | ScriptedAnswer
  | Error
  | ((request: LanguageRequest) => string | ScriptedAnswer | Error);

/** A model that follows a script. */
export interface ScriptedModel extends LanguageModel {
  /** What it was asked, in order. */
  readonly requests: readonly LanguageRequest[];
  /** What is wrong with the test, or with what the model was asked: the first thing. */
  readonly problem: unknown;
}

/** What makes the model of a call, on its clock. */
export type ModelScript<Model extends LanguageModel = LanguageModel & Partial<ScriptedModel>> = (
  clock: Clock,
) => Model;

const firstWordMs = 200;
const wordMs = 20;

/**
 * A model that gives `replies` in order, one for each time that it is asked: also after each use of a tool. When they are
 * used up, and when it is asked what no provider would take, the test fails and says so.
 *
 * ```ts
 * scripted([
 *   { toolCalls: [{ name: "lookupOrder", arguments: { orderId: "42" } }] },
 *   "It was shipped yesterday.",
 *   ({ messages }) => `You said: ${messages.at(-1)?.content}`,
 *   new Error("the model is down"),
 * ])
 * ```
 */
export function scripted(replies: readonly ScriptedReply[]): ModelScript<ScriptedModel> {
  return (clock) => {
    const requests: LanguageRequest[] = [];
    let problem: unknown;
    const answer = (request: LanguageRequest): ScriptedAnswer => {
      const n = requests.push(request);
      try {
        refuseMalformed(request.messages);
        const reply = replies[n - 1];
        if (reply === undefined) throw new Error(exhausted(n, replies.length, request));
        const given = typeof reply === "function" ? reply(request) : reply;
        if (typeof given === "string") return { text: given };
        return given instanceof Error ? { error: given } : given;
      } catch (error) {
        problem ??= error;
        throw asStageError("llm", error);
      }
    };
    return {
      provider: "scripted",
      model: "script",
      requests,
      get problem() {
        return problem;
      },
      generate(request, { signal }) {
        const given = answer(request);
        return ReadableStream.from(events(given, `call-${requests.length}`, clock, signal));
      },
    };
  };
}

async function* events(
  { text = "", toolCalls = [], afterMs = firstWordMs, error }: ScriptedAnswer,
  id: string,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<LanguageEvent> {
  await clock.sleep(afterMs, { signal });
  for (const word of text.match(/\S+\s*/g) ?? []) {
    yield { type: "text", text: word };
    await clock.sleep(wordMs, { signal });
  }
  for (const [i, { name, arguments: args = {} }] of toolCalls.entries()) {
    yield { type: "tool-call", id: `${id}-${i + 1}`, name, arguments: args };
  }
  if (error) throw asStageError("llm", error);
  yield { type: "finish", reason: toolCalls.length > 0 ? "tool-calls" : "stop" };
}

function exhausted(n: number, length: number, { messages, tools = [] }: LanguageRequest): string {
  const last = messages.at(-1);
  const names = tools.map(({ name }) => name).join(", ") || "none";
  const replies = length === 1 ? "1 reply" : `${length} replies`;
  return `scripted(): the model was asked for reply ${n}, and the script has ${replies}. ` +
    `The last message (${last?.role}): ${JSON.stringify(last?.content)}; tools: ${names}`;
}

/** Providers refuse calls that have not exactly one result each, right behind them. */
function refuseMalformed(messages: readonly Message[]): void {
  let awaited: string[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      if (!awaited.includes(message.callId)) {
        throw new Error(`the model was told of a result whose call is not before it: ${message.callId}`);
      }
      awaited = awaited.filter((id) => id !== message.callId);
      continue;
    }
    if (awaited.length > 0) break;
    awaited = message.role === "assistant" ? message.toolCalls?.map(({ id }) => id) ?? [] : [];
  }
  if (awaited.length > 0) {
    throw new Error(`the model was told of calls without a result: ${awaited.join(", ")}`);
  }
}
