/** Everything that tools need of a session, without one: a clock, a model by script, a host that remembers. */
import type { Agent } from "../../src/agent.ts";
import type { StageError } from "../../src/errors.ts";
import { messagesFrom, type PromptItem } from "../../src/history.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, Message, ToolCall } from "../../src/llm/llm.ts";
import { wireMessages } from "../../src/llm/openai.ts";
import type { ToolSet } from "../../src/tool.ts";
import { type AnswerEvent, type AnswerOptions, answerWithTools } from "../../src/tools/answer.ts";
import type { ConfirmRequest, ToolHost } from "../../src/tools/host.ts";
import type { ToolResult } from "../../src/tools/result.ts";
import { createToolRunner } from "../../src/tools/runner.ts";
import type { VoiceSession } from "../../src/voice_session.ts";
import { refusalOfMessages } from "../emulators/openai_requests.ts";
import { fakeClock } from "../fakes/clock.ts";

/** What the model answers a request with; a string is said, anything else it calls. */
export type Step = readonly (string | ToolCall)[];

export interface World {
  readonly data: string[];
}

/** The call `name(args)` under the id `id`. */
export const call = (id: string, name: string, args: unknown = {}): ToolCall => ({
  id,
  name,
  arguments: args,
});

/** A world of which each part can be looked at. `answers`: to whether the user agrees. */
export function world({ answers = () => Promise.resolve(true) }: {
  readonly answers?: (request: ConfirmRequest, signal: AbortSignal) => Promise<boolean>;
} = {}) {
  const clock = fakeClock();
  const ended = new AbortController();
  const items: PromptItem[] = [];
  const said: string[] = [];
  const asked: ConfirmRequest[] = [];
  const errors: StageError[] = [];
  const handedTo: Agent[] = [];
  const results: (ToolResult & { readonly late: boolean })[] = [];
  let kept = 0;
  const session = { id: "session-1" } as VoiceSession; // tools are handed it as it is
  const host: ToolHost<World> = {
    session,
    userdata: { data: [] },
    say: (text) => void said.push(text),
    disallowInterruptions: () => void kept++,
    confirm: (request, { signal }) => {
      asked.push(request);
      return answers(request, signal);
    },
    handOff(_, next) {
      if (next.type === "handoff") handedTo.push(next.agent);
      return "Handed over.";
    },
    detach() {},
    get isOver() {
      return handedTo.length > 0;
    },
  };
  const runner = createToolRunner<World>({
    sessionId: "session-1",
    clock,
    signal: ended.signal,
    onError: (error) => void errors.push(error),
    onCall: (made) => void items.push({ type: "tool-call", call: made }),
    onResult: (result, { late }) => {
      results.push({ ...result, late });
      items.push({ type: "tool-result", callId: result.callId, content: result.content });
    },
  });
  const prompt = (text: string): Message[] => messagesFrom("Be a test.", [...items, { role: "user", text }]);
  return {
    clock,
    ended,
    /** The history, as a session keeps it. */
    items,
    said,
    asked,
    errors,
    results,
    handedTo,
    host,
    runner,
    prompt,
    /** How often a tool asked not to be interrupted. */
    get kept() {
      return kept;
    },
    /** The calls of one step, made. */
    run: (tools: ToolSet<World>, calls: readonly ToolCall[], options: Partial<AnswerOptions<World>> = {}) =>
      runner.run(calls, { turnId: "turn-1", tools, host, signal: new AbortController().signal, ...options }),
    /** One answer to a user, as it comes. */
    answer(
      tools: ToolSet<World>,
      generate: LanguageModel["generate"],
      options: Partial<AnswerOptions<World>> = {},
    ): { readonly events: AnswerEvent[]; readonly ended: Promise<unknown> } {
      const events: AnswerEvent[] = [];
      const stream = answerWithTools({
        generate,
        messages: always(prompt("Go.")),
        tools,
        runner,
        host,
        turnId: "turn-1",
        signal: new AbortController().signal,
        ...options,
      });
      const reading = (async () => {
        for await (const event of stream) events.push(event);
      })();
      return { events, ended: reading.then(() => undefined, (error: unknown) => error) };
    },
  };
}

/** The same prompt, whenever it is asked for. */
export const always = (messages: readonly Message[]) => () => messages;

/** A model that answers with `script`, step by step, and refuses what OpenAI refuses. */
export function scripted(script: readonly Step[]) {
  const requests: LanguageRequest[] = [];
  async function* events(step: Step): AsyncGenerator<LanguageEvent> {
    for (const part of step) {
      await Promise.resolve();
      if (typeof part === "string") yield { type: "text", text: part };
      else yield { type: "tool-call", ...part };
    }
    const calls = step.some((part) => typeof part !== "string");
    const usage = { inputTokens: 10, outputTokens: step.length };
    yield { type: "finish", reason: calls ? "tool-calls" : "stop", usage };
  }
  const generate: LanguageModel["generate"] = (request) => {
    const refusal = refusalOfMessages(wireMessages(request.messages) as never);
    if (refusal) throw new Error(refusal.message);
    requests.push(request);
    return ReadableStream.from(events(script[requests.length - 1] ?? ["Done."]));
  };
  return { generate, requests };
}
