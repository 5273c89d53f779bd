/** What the model answers, and what it does for that with the agent's tools. */
import type { Agent } from "./agent.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import type { StageError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import type { History } from "./history.ts";
import type { OwnCalls } from "./history/prompts.ts";
import type { LanguageModel, Message, ToolChoice } from "./llm/llm.ts";
import { createQueue } from "./queue.ts";
import { createQuestions, questionOf, type Questions } from "./questions.ts";
import type { Break, Job, Spent } from "./replies.ts";
import { answerWithTools } from "./tools/answer.ts";
import type { ToolHost } from "./tools/host.ts";
import { createMcpServers, type OpenMcpServers } from "./tools/mcp.ts";
import type { ToolResult } from "./tools/result.ts";
import type { Succession } from "./succession.ts";
import { type CallRecord, createToolRunner, type StepOptions, type ToolRunner } from "./tools/runner.ts";
import type { VoiceSession } from "./voice_session.ts";

export interface AnswersOptions {
  readonly charge: Pick<Charge, "current">;
  /** What tools are handed. */
  readonly session: VoiceSession;
  readonly history: History;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** Told of tools that failed. */
  readonly onError: (error: StageError) => void;
  /** Tells turn-taking what a tool has made of a reply. */
  readonly note: (
    event: { type: "reply-kept" | "question-asked" | "question-over"; replyId: string },
  ) => void;
  /** See Succession. */
  readonly successor: Succession["successor"];
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
  /** Calls that were made before, in another process. */
  readonly callsBefore?: readonly CallRecord[] | undefined;
  /** See CallOptions. */
  readonly written?: (() => Promise<void>) | undefined;
  /** Told that a tool is back which has held a conversation of its own: the model goes on with its result. */
  readonly onBack: () => void;
  /** Told of a result that the answer has not waited for. */
  readonly onLate: (result: ToolResult) => void;
}

/** What is answered. */
export interface Asked {
  /** The reply's id: for a user's turn, the turn's. */
  readonly id: string;
  /** The turn that it is the answer to, where that is not its id: what is done for it is done once in the turn. */
  readonly turnId?: string | undefined;
  /**
   * What the model is told; called when the answer begins, and once more after each update of the history, with the calls
   * that the answer has made by then.
   */
  readonly messages: (own?: OwnCalls) => readonly Message[];
  readonly toolChoice?: ToolChoice | undefined;
  /** Settles when the turn is sure to be over, for an answer that is prepared before. */
  readonly committed?: Promise<void> | undefined;
  /** In place of the model's own. */
  readonly generate?: LanguageModel["generate"] | undefined;
}

export interface Answers extends Pick<Questions, "answer"> {
  /** See ToolRunner. */
  readonly records: ToolRunner["records"];
  /** See ToolRunner. */
  readonly busy: boolean;
  /** An answer, as a reply takes it. */
  make(asked: Asked): Required<Pick<Job, "words" | "workedMs" | "breaks" | "yields" | "spent">>;
  /** The session has ended: settles when every call has its last result, and the servers of tools are left; within 3 s. */
  idle(): Promise<void>;
}

/** The answers of one session. */
export function createAnswers(options: AnswersOptions): Answers {
  const { charge, session, history, clock, signal: ended, emit, onError, note, successor, onBack, onLate } =
    options;
  /** By the ids of their calls. */
  const replies = new Map<string, string>();
  /** What hands the conversation over, by the ids of the calls that want it. */
  const handoffs = new Map<string, () => void>();
  /** Calls whose tools hold conversations of their own. */
  const detached = new Set<string>();
  const handOver = (callId: string) => {
    const take = handoffs.get(callId);
    handoffs.delete(callId);
    take?.();
    return take !== undefined;
  };
  const runner = createToolRunner({
    sessionId: session.id,
    before: options.callsBefore,
    written: options.written,
    clock,
    signal: ended,
    onError,
    onCall: (call) => history.addCall(call),
    onResult(result, { late }) {
      history.addResult(result);
      const replyId = replies.get(result.callId);
      replies.delete(result.callId);
      if (!late) return;
      emit({ type: "tools-finished", replyId: replyId ?? "", results: [told(result)] });
      const wasDetached = detached.delete(result.callId);
      if (handOver(result.callId)) return;
      if (wasDetached) onBack();
      else onLate(result);
    },
  });
  const questions = createQuestions({ clock, note });
  const servers = (options.mcpServers ?? createMcpServers)({ clock, onError });
  /** What an agent can do at this moment. */
  const toolsOf = ({ tools, mcpServers = [] }: Agent) => ({ ...servers.tools(mcpServers), ...tools });
  toolsOf(charge.current.agent); // its servers are connected from now on

  /** Makes calls and tells of them, once the turn is sure to be over. */
  const run = (replyId: string, calls: Parameters<ToolRunner["run"]>[0], step: StepOptions<unknown>) => {
    for (const { id } of calls) replies.set(id, replyId);
    const made = runner.run(calls, step);
    const onceCommitted = async (act: () => void) => {
      if (step.committed) {
        await step.committed;
        if (step.signal.aborted) return;
      }
      act();
    };
    void onceCommitted(() => emit({ type: "tools-called", replyId, calls }));
    void made.then((results) =>
      onceCommitted(() => {
        emit({ type: "tools-finished", replyId, results: results.map(told) });
        for (const { id } of calls) handOver(id);
      })
    );
    return made;
  };

  return {
    answer: questions.answer,
    records: runner.records,
    get busy() {
      return runner.busy;
    },
    async idle() {
      await runner.idle();
      await servers.close();
    },
    make({ id: replyId, turnId = replyId, messages, toolChoice, committed, generate }) {
      const breaks: Break[] = [];
      let spent: Spent = {};
      let written = 0;
      /** How many steps are at work: one at the most. */
      let working = 0;
      let lastMs = -Infinity;
      /** Who goes on with the conversation after this answer, if somebody else does. */
      let next: string | undefined;
      /** A tool holds a conversation of its own: the answer is over. */
      let hasDetached = false;
      const pause = () => void breaks.push({ characters: written, atMs: clock.now() });

      const words = (signal: AbortSignal) => {
        const cast = charge.current;
        const { agent, providers: { llm } } = cast;
        const cut = new AbortController();
        const texts = createQueue<string>((reason) => cut.abort(reason));
        const write = (text: string) => {
          written += text.length;
          texts.push(text);
        };
        /** What tools have the reply say, until what the model said before them is written. */
        let held: string[] | undefined = [];
        const say = (text: string) => held ? void held.push(`${text}\n`) : write(`${text}\n`);
        const host: ToolHost = {
          session,
          userdata: session.userdata,
          say(given, call) {
            if (working === 0) return; // the model's next words are not to be cut in two
            const text = given.trim();
            say(text);
            emit({ type: "tool-progress", replyId, ...call, text });
          },
          disallowInterruptions: () => note({ type: "reply-kept", replyId }),
          async confirm(request, { signal }) {
            const ask = () => say(questionOf(request, agent.language));
            try {
              return await questions.ask({ replyId, say: ask, signal });
            } finally {
              pause();
            }
          },
          handOff(callId, handoff) {
            const other = next ??
              (charge.current.agent === cast.agent ? undefined : charge.current.agentName);
            if (other !== undefined) throw new Error(`the conversation was handed over to ${other} before`);
            const { name, take } = successor(handoff, replyId);
            next = name;
            handoffs.set(callId, take);
            return handoff.result ?? `The conversation was handed over to ${name}, who goes on with it.`;
          },
          detach(callId) {
            hasDetached = true;
            detached.add(callId);
          },
          get isOver() {
            return next !== undefined || hasDetached;
          },
        };
        const runStep: ToolRunner["run"] = async (calls, step) => {
          working++;
          try {
            return await run(replyId, calls, step);
          } finally {
            working--;
            lastMs = clock.now();
          }
        };
        const events = answerWithTools({
          generate: generate ?? ((...asked) => llm.generate(...asked)),
          messages: upToDate(messages, history),
          isTaken: history.hasCall,
          tools: toolsOf(agent),
          toolChoice,
          runner: { ...runner, run: runStep },
          host,
          turnId,
          signal: AbortSignal.any([signal, cut.signal]),
          committed,
        });
        const read = async () => {
          for await (const event of events) {
            if (event.type === "text") write(event.text);
            if (event.type === "finish") {
              spent = { steps: event.steps, ...(event.usage && { tokens: event.usage }) };
            }
            if (event.type === "tools-called") {
              for (const text of held ?? []) write(text);
              held = undefined;
            }
            if (event.type === "tools-finished") {
              held = [];
              pause();
            }
          }
        };
        read().then(() => texts.end(), (error: unknown) => texts.end({ error }));
        return texts.readable;
      };
      return {
        words,
        workedMs: () => working > 0 ? clock.now() : lastMs,
        breaks: () => breaks,
        spent: () => spent,
        yields: () => next !== undefined || hasDetached,
      };
    },
  };
}

/** What `messages` tells now; something else only once the history was updated. */
function upToDate(messages: Asked["messages"], history: History): (own: OwnCalls) => readonly Message[] {
  let told = messages();
  let { revision } = history;
  return (own) => {
    if (history.revision !== revision) told = messages(own);
    revision = history.revision;
    return told;
  };
}

/** What anybody may be told of a result: not what the tool returned, which may be anything. */
const told = ({ callId, name, outcome, content }: ToolResult): Omit<ToolResult, "value"> => ({
  callId,
  name,
  outcome,
  content,
});
